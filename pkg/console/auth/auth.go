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

// Authenticator stands before the console.
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

// New makes a guard for a console that listens on an address. page shows the login page.
func New(config Config, listen string, page LoginPage, reg prometheus.Registerer, log *slog.Logger) (*Authenticator, error) {
	read, err := config.settings(listen)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{settings: read, page: page, limiter: newLimiter(), crossOrigin: http.NewCrossOriginProtection(), metrics: NewMetrics(reg), log: log}
	a.sessions = newSessions(a.metrics.sessions)
	a.passwords = newPasswordChecker(read.passwordFile, a.sessions.finishAll)
	if read.origin != "" { // a proxy may ask for us under another host than the browser does
		if err := a.crossOrigin.AddTrustedOrigin(read.origin); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Handler guards Path and all that is under it: pages are for those who may come in, assets for everybody, since the login page
// needs them.
func (a *Authenticator) Handler(pages, assets http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(LoginPath, a.Login)
	mux.HandleFunc(LogoutPath, a.Logout)
	mux.Handle(AssetsPath, assets)
	mux.Handle("/", a.requireVisitor(pages))
	return a.withHeaders(a.checkHost(a.checkOrigin(mux)))
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

// requireVisitor lets in whom it knows. With a session, the request's context ends when that does, and with it what is streamed.
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
	for _, id := range a.cookieValues(r) {
		if session, ok := a.sessions.use(id); ok {
			return session, true
		}
	}
	return nil, false
}

// rejectVisitor sends a browser to the login page, and tells all others that they may not come in. htmx is told by a header of its own: it
// would put the page it is sent to into the middle of the one that it is on.
func (a *Authenticator) rejectVisitor(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.passwordFile == "":
		a.refuse(w, reasonNoProxyUser, http.StatusForbidden, "The console takes a proxy's word for who somebody is, and this request has none that counts: see --console-proxy-header and --console-proxy-from.")
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
