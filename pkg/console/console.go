package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/assets"
	"github.com/millrace/millrace/pkg/console/auth"
	"github.com/millrace/millrace/pkg/console/query"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

// Deps is what a console works on.
type Deps struct {
	Connections *connection.Store
	Stream      *stream.Client
	Query       *query.Client
	EdgeURL     string // where senders reach the edge
	Log         *slog.Logger
	Metrics     prometheus.Registerer
}

// Console is the pages.
type Console struct {
	config     Config
	deps       Deps
	pages      *pages
	auth       *auth.Authenticator
	traffic    *traffic
	metrics    *metrics
	streams    atomic.Int64 // pages that are sent what changes
	tokens     *tokenCache
	edgeClient *http.Client
	replays    *replays
	ctx        context.Context // ends when the program stops: streams end with it
}

// New makes a console that is found at the address listen. ctx ends when the program stops.
func New(ctx context.Context, config Config, listen string, deps Deps) (*Console, error) {
	c := &Console{config: config, deps: deps, ctx: ctx, tokens: newTokenCache(), traffic: newTraffic(ctx, deps.Query), edgeClient: &http.Client{
		Timeout:       testTimeout,
		Transport:     &http.Transport{}, // no proxy: the URL is a secret
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.deps.EdgeURL = strings.TrimSuffix(deps.EdgeURL, "/")
	c.pages, c.metrics = newPages(), newMetrics(deps.Metrics)
	c.replays = newReplays(ctx, deps.Stream, c.metrics.replays)
	var err error
	c.auth, err = auth.New(config.Auth, listen, c.loginPage, deps.Metrics, deps.Log)
	return c, err
}

// RememberToken keeps a token for tests of a connection, for a while: see fresh.
func (c *Console) RememberToken(connection string, t token.Secret) { c.tokens.put(connection, t) }

// Handler serves everything under Base.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, page http.HandlerFunc) { mux.HandleFunc("GET "+Base+path, page) }
	post := func(path string, page http.HandlerFunc) { mux.HandleFunc("POST "+Base+path, page) }

	first := http.RedirectHandler(Base+"/connections", http.StatusSeeOther).ServeHTTP
	get("", first)
	get("/{$}", first)
	get("/connections", c.connections)
	get("/connections/changes", c.streaming(c.connectionsChanges))
	get("/connections/new", c.newConnection)
	post("/connections", c.createConnection)
	get("/connections/{id}", c.connection)
	get("/connections/{id}/messages", c.streaming(c.connectionMessages))
	get("/connections/{id}/{action}", c.confirmChange)
	post("/connections/{id}/{action}", c.applyChange)
	post("/connections/{id}/test", c.sendTest)
	get("/messages", c.message)
	get("/outcomes", c.outcomes)
	get("/dead-letters", c.deadLetters)
	post("/replays", c.startReplay)
	get("/replays/{id}", c.replay)
	get("/replays/{id}/progress", c.streaming(c.replayProgress))
	get("/whatif", c.whatif)
	post("/whatif", c.whatif)
	mux.HandleFunc(Base+"/", c.notFound)

	return c.auth.Handler(c.withLimits(mux), assets.Handler(assetsBase))
}

// assetsBase is where the assets are.
var assetsBase = strings.TrimSuffix(auth.AssetsPath, "/")

const (
	// maxFormBytes bounds what is posted: a message that is pasted is the largest, and a form's escapes triple most of it.
	maxFormBytes = 3*maxMessageBytes + 64<<10
	// formTimeout is how long it may take to come.
	formTimeout = 30 * time.Second
)

// withLimits keeps what is posted within its bounds, and a fault of ours from going unnoticed.
func (c *Console) withLimits(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if panicked := recover(); panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
				c.metrics.bugs.Inc()
				c.deps.Log.Error("BUG: a page of the console panicked", "route", r.Pattern, "panic", fmt.Sprintf("%T", panicked), "stack", string(debug.Stack()))
				http.Error(w, "this page could not be made: the log says why", http.StatusInternalServerError)
			}
		}()
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTimeout)) // a reader without deadlines has none
			r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
			if err := r.ParseForm(); err != nil { // nothing here is multipart
				c.fail(w, r, inputError(fmt.Sprintf("the form cannot be read; it may have %d bytes", maxFormBytes)))
				return
			}
		}
		pages.ServeHTTP(w, r)
	})
}

// pageTimeout bounds the questions of one page.
const pageTimeout = 15 * time.Second

// pageContext is a request's context with a bound for what it asks of others.
func pageContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), pageTimeout)
}
