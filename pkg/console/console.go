package console

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/assets"
	"github.com/millrace/millrace/pkg/console/guard"
	"github.com/millrace/millrace/pkg/console/insight"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

// Deps is what a console works on.
type Deps struct {
	Connections *connection.Store
	Stream      *stream.Client
	Insight     *insight.Insight
	EdgeURL     string // where senders reach the edge
	Log         *slog.Logger
	Metrics     prometheus.Registerer
}

// Console is the pages.
type Console struct {
	config  Config
	deps    Deps
	pages   *pages
	guard   *guard.Guard
	traffic *traffic
	metrics *metrics
	fresh   *fresh
	probe   *http.Client
	replays *replays
	ctx     context.Context // ends when the program stops: streams end with it
}

// New makes a console that is found at the address listen. ctx ends when the program stops.
func New(ctx context.Context, config Config, listen string, deps Deps) (*Console, error) {
	c := &Console{config: config, deps: deps, ctx: ctx, fresh: newFresh(), traffic: &traffic{insight: deps.Insight}, probe: &http.Client{
		Timeout:       probeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.deps.EdgeURL = strings.TrimSuffix(deps.EdgeURL, "/")
	c.pages, c.metrics = newPages(), newMetrics(deps.Metrics)
	c.replays = newReplays(ctx, deps.Stream, c.metrics.replays)
	var err error
	c.guard, err = guard.New(config.Guard, listen, c.loginPage, deps.Metrics, deps.Log)
	return c, err
}

// Remember keeps a token for tests of a connection, for a while: see fresh.
func (c *Console) Remember(connection string, t token.Secret) { c.fresh.remember(connection, t) }

// Handler serves everything under Base.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, page http.HandlerFunc) { mux.HandleFunc("GET "+Base+path, page) }
	post := func(path string, page http.HandlerFunc) { mux.HandleFunc("POST "+Base+path, page) }

	get("", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, Base+"/connections", http.StatusSeeOther)
	})
	get("/connections", c.connections)
	get("/connections/changes", c.connectionsChanges)
	get("/connections/new", c.newConnection)
	post("/connections", c.createConnection)
	get("/connections/{id}", c.connection)
	get("/connections/{id}/messages", c.connectionMessages)
	get("/connections/{id}/{action}", c.askChange)
	post("/connections/{id}/{action}", c.doChange)
	post("/connections/{id}/test", c.sendTest)
	get("/messages", c.message)
	get("/outcomes", c.outcomes)
	get("/letters", c.letters)
	post("/replays", c.startReplay)
	get("/replays/{id}", c.replay)
	get("/replays/{id}/progress", c.replayProgress)
	get("/whatif", c.whatif)
	post("/whatif", c.whatif)
	mux.HandleFunc(Base+"/", c.notFound)

	return c.guard.Handler(mux, assets.Handler(assetsBase))
}

// assetsBase is where the assets are.
var assetsBase = strings.TrimSuffix(guard.AssetsPath, "/")

// asked bounds the questions of one page.
const asked = 15 * time.Second

// bounded is a request's context with a bound for what it asks of others.
func bounded(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), asked)
}
