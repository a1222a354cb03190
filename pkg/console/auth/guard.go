package auth

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Where the console is.
const (
	Path       = "/console"
	LoginPath  = Path + "/login"
	LogoutPath = Path + "/logout"
	AssetsPath = Path + "/assets/"
)

// Guard stands before the console.
type Guard struct {
	rules
	page        LoginPage
	door        *door
	limiter     *limiter
	sessions    *sessions
	crossOrigin *http.CrossOriginProtection
	metrics     *Metrics
	log         *slog.Logger
}

// New makes a guard for a console that listens on an address. page shows the login page.
func New(config Config, listen string, page LoginPage, reg prometheus.Registerer, log *slog.Logger) (*Guard, error) {
	read, err := config.rules(listen)
	if err != nil {
		return nil, err
	}
	g := &Guard{rules: read, page: page, limiter: newLimiter(), crossOrigin: http.NewCrossOriginProtection(), metrics: NewMetrics(reg), log: log}
	g.sessions = newSessions(g.metrics.sessions)
	g.door = newDoor(read.passwordFile, g.sessions.finishAll)
	if read.origin != "" { // a proxy may ask for us under another host than the browser does
		if err := g.crossOrigin.AddTrustedOrigin(read.origin); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Handler guards Path and all that is under it: pages are for those who may come in, assets for everybody, since the login page
// needs them.
func (g *Guard) Handler(pages, assets http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(LoginPath, g.Login)
	mux.HandleFunc(LogoutPath, g.Logout)
	mux.Handle(AssetsPath, assets)
	mux.Handle("/", g.forVisitors(pages))
	return g.withHeaders(g.atItsAddress(g.fromItsPages(mux)))
}

// Visitor is who has come in.
type Visitor struct {
	Name    string // by the word of a proxy
	Session bool   // by the password: there is something to log out of
}

type visitorKey struct{}

// VisitorOf is who sent the request that has this context.
func VisitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}

// forVisitors lets in whom it knows. With a session, the request's context ends when that does, and with it what is streamed.
func (g *Guard) forVisitors(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.open {
			pages.ServeHTTP(w, r)
			return
		}
		if name, ok := g.vouched(r); ok {
			pages.ServeHTTP(w, as(r, Visitor{Name: name}))
			return
		}
		session, ok := g.session(r)
		if !ok {
			g.turnAway(w, r)
			return
		}
		ctx, end := context.WithCancelCause(r.Context())
		defer end(nil)
		defer context.AfterFunc(session, func() { end(context.Cause(session)) })()
		pages.ServeHTTP(w, as(r.WithContext(ctx), Visitor{Session: true}))
	})
}

func as(r *http.Request, v Visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

func (g *Guard) session(r *http.Request) (context.Context, bool) {
	for _, id := range g.shown(r) {
		if session, ok := g.sessions.use(id); ok {
			return session, true
		}
	}
	return nil, false
}

// turnAway sends a browser to the login page, and tells all others that they may not come in. htmx is told by a header of its own: it
// would put the page it is sent to into the middle of the one that it is on.
func (g *Guard) turnAway(w http.ResponseWriter, r *http.Request) {
	switch {
	case g.passwordFile == "":
		g.refuse(w, reasonNotVouched, http.StatusForbidden, "The console takes a proxy's word for who somebody is, and this request has none that counts: see --console-proxy-header and --console-proxy-from.")
	case isHTMX(r):
		w.Header().Set("HX-Redirect", loginFor(r))
		g.refuse(w, reasonNoSession, http.StatusUnauthorized, "Log in first.")
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		g.metrics.refused.WithLabelValues(reasonNoSession).Inc()
		http.Redirect(w, r, loginFor(r), http.StatusSeeOther)
	default:
		g.refuse(w, reasonNoSession, http.StatusUnauthorized, "Log in first, at "+LoginPath+".")
	}
}

func (g *Guard) refuse(w http.ResponseWriter, reason string, status int, text string) {
	g.metrics.refused.WithLabelValues(reason).Inc()
	http.Error(w, text, status)
}
