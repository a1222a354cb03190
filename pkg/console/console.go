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

// Deps are the dependencies of a Console.
type Deps struct {
	Connections *connection.Store
	Stream      *stream.Client
	Query       *query.Client
	EdgeURL     string // base URL of the edge, as senders see it
	Log         *slog.Logger
	Metrics     prometheus.Registerer
}

// Console serves the pages.
type Console struct {
	config     Config
	deps       Deps
	pages      *pages
	auth       *auth.Authenticator
	traffic    *traffic
	metrics    *metrics
	streams    atomic.Int64 // number of open event streams
	tokens     *tokenCache
	urls       *urlPages
	edgeClient *http.Client
	replays    *replays
	ctx        context.Context // ends when the program stops, and with it all streams
}

// New returns a console for the address listen. ctx ends when the program stops.
func New(ctx context.Context, config Config, listen string, deps Deps) (*Console, error) {
	c := &Console{
		config:  config,
		deps:    deps,
		ctx:     ctx,
		tokens:  newTokenCache(),
		urls:    newURLPages(),
		traffic: newTraffic(ctx, deps.Query),
		edgeClient: &http.Client{
			Timeout:       testTimeout,
			Transport:     &http.Transport{}, // without a proxy: the URL is secret
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.deps.EdgeURL = strings.TrimSuffix(deps.EdgeURL, "/")
	c.pages, c.metrics = newPages(), newMetrics(deps.Metrics)
	c.replays = newReplays(ctx, deps.Stream, c.metrics.replays)
	var err error
	c.auth, err = auth.New(config.Auth, listen, c.loginPage, deps.Metrics, deps.Log)
	return c, err
}

// RememberToken keeps a connection's token in memory for test messages: see tokenCache.
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
	get("/connections/{id}/url", c.connectionURL)
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

// assetsBase is the path of the assets.
var assetsBase = strings.TrimSuffix(auth.AssetsPath, "/")

const (
	// maxFormBytes limits the body of a POST. A pasted message is the largest; escaping in a form can triple its size.
	maxFormBytes = 3*maxMessageBytes + 64<<10
	// formTimeout limits how long a form may take to arrive.
	formTimeout = 30 * time.Second
)

// withLimits limits the size and duration of POST bodies, and reports panics.
func (c *Console) withLimits(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if panicked := recover(); panicked != nil &&
				panicked != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				c.metrics.bugs.Inc()
				c.deps.Log.Error(
					"BUG: a page of the console panicked",
					"route",
					r.Pattern,
					"panic",
					fmt.Sprintf("%T", panicked),
					"stack",
					string(debug.Stack()),
				)
				http.Error(w, "internal error: see the log", http.StatusInternalServerError)
			}
		}()
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).
				SetReadDeadline(time.Now().Add(formTimeout))
				// fails only for a reader without deadlines
			r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
			if err := r.ParseForm(); err != nil { // the console has no multipart form
				c.fail(w, r, inputError(fmt.Sprintf("the form cannot be read; the limit is %d bytes", maxFormBytes)))
				return
			}
		}
		pages.ServeHTTP(w, r)
	})
}

// pageTimeout limits the queries of one page.
const pageTimeout = 15 * time.Second

// pageContext returns the request's context with pageTimeout.
func pageContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), pageTimeout)
}
