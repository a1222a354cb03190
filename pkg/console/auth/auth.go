package auth

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Paths of the console.
const (
	Path       = "/console"
	LoginPath  = Path + "/login"
	LogoutPath = Path + "/logout"
	AssetsPath = Path + "/assets/"
)

// Authenticator is the handler in front of the console's pages.
type Authenticator struct {
	settings
	page        LoginPage
	passwords   *passwordChecker
	limiter     *limiter
	sessions    *sessions
	crossOrigin *http.CrossOriginProtection
	metrics     *Metrics
	log         *slog.Logger
}

// New returns an Authenticator for a console at the address listen. page writes the login page.
func New(
	config Config,
	listen string,
	page LoginPage,
	reg prometheus.Registerer,
	log *slog.Logger,
) (*Authenticator, error) {
	read, err := config.settings(listen)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		settings: read, page: page, limiter: newLimiter(), crossOrigin: http.NewCrossOriginProtection(),
		metrics: NewMetrics(reg), log: log,
	}
	a.sessions = newSessions(a.metrics.sessions)
	a.passwords = newPasswordChecker(read.passwordFile, a.sessions.endAll)
	if read.origin != "" { // a proxy may send another Host than the browser does
		if err := a.crossOrigin.AddTrustedOrigin(read.origin); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Handler serves everything under Path. pages require a visitor; assets do not, since the login page needs them.
func (a *Authenticator) Handler(pages, assets http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(LoginPath, a.Login)
	mux.HandleFunc(LogoutPath, a.Logout)
	mux.Handle(AssetsPath, assets)
	mux.Handle("/", a.requireVisitor(pages))
	return a.withHeaders(a.checkHost(a.checkOrigin(mux)))
}

// Visitor is an authenticated user.
type Visitor struct {
	Name    string // set by a proxy
	Session bool   // logged in by password, so the user can log out
}

type visitorKey struct{}

// VisitorOf returns the visitor of a request's context.
func VisitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}

// requireVisitor rejects unauthenticated requests. The context of a request with a session ends with the session, and
// with it every stream.
func (a *Authenticator) requireVisitor(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.open {
			pages.ServeHTTP(w, r)
			return
		}
		if name, ok := a.proxyUser(r); ok {
			pages.ServeHTTP(w, withVisitor(r, Visitor{Name: name}))
			return
		}
		session, ok := a.session(r)
		if !ok {
			a.rejectVisitor(w, r)
			return
		}
		ctx, end := context.WithCancelCause(r.Context())
		defer end(nil)
		defer context.AfterFunc(session, func() { end(context.Cause(session)) })()
		pages.ServeHTTP(w, withVisitor(r.WithContext(ctx), Visitor{Session: true}))
	})
}

func withVisitor(r *http.Request, v Visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

func (a *Authenticator) session(r *http.Request) (context.Context, bool) {
	for _, id := range a.sessionIDs(r) {
		if session, ok := a.sessions.use(id); ok {
			return session, true
		}
	}
	return nil, false
}

// rejectVisitor redirects a browser to the login page and answers other clients with an error. htmx gets a header: it
// would insert the target of a redirect into the current page.
func (a *Authenticator) rejectVisitor(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.passwordFile == "":
		a.refuse(w, reasonNoProxyUser, http.StatusForbidden, "This request carries no user name from a trusted proxy: "+
			"see --console-proxy-header and --console-proxy-from.")
	case isHTMX(r):
		w.Header().Set("HX-Redirect", loginURL(r))
		a.refuse(w, reasonNoSession, http.StatusUnauthorized, "Log in first.")
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		a.metrics.refused.WithLabelValues(reasonNoSession).Inc()
		http.Redirect(w, r, loginURL(r), http.StatusSeeOther)
	default:
		a.refuse(w, reasonNoSession, http.StatusUnauthorized, "Log in first, at "+LoginPath+".")
	}
}

func (a *Authenticator) refuse(w http.ResponseWriter, reason string, status int, text string) {
	a.metrics.refused.WithLabelValues(reason).Inc()
	http.Error(w, text, status)
}
