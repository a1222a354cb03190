package auth

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/millrace/millrace/pkg/clientip"
)

const (
	passwordField = "password"
	nextField     = "next"

	maxLoginBytes = 16 << 10 // of the form
)

// Problem is why the login page is shown again.
type Problem string

// The problems there are.
const (
	WrongPassword   Problem = "wrong password"
	TooManyFailures Problem = "too many failures"
	CannotCheck     Problem = "cannot check" // the password's file cannot be used; the log says why
)

// LoginView is what a login page shows: a form that posts the fields "password" and "next" to LoginPath.
type LoginView struct {
	Status  int           // to be written
	Problem Problem       // empty at first
	Wait    time.Duration // in whole seconds; with TooManyFailures
	Next    string        // the field "next": where the login leads to
}

// LoginPage writes one.
type LoginPage func(w http.ResponseWriter, r *http.Request, view LoginView)

// Login shows the login page, and lets in who posts the password.
func (a *Authenticator) Login(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "The login page takes GET and POST.", http.StatusMethodNotAllowed)
	case a.passwordFile == "":
		http.Redirect(w, r, Path, http.StatusSeeOther) // there is nothing to log in to
	case r.Method == http.MethodPost:
		a.logIn(w, r)
	default:
		next := localPath(r.URL.Query().Get(nextField))
		if _, ok := a.session(r); ok {
			http.Redirect(w, r, next, http.StatusSeeOther)
			return
		}
		a.page(w, r, LoginView{Status: http.StatusOK, Next: next})
	}
}

func (a *Authenticator) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginBytes)
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "The form cannot be read.", status)
		return
	}
	view := LoginView{Next: localPath(r.PostForm.Get(nextField))}
	who := clientAddress(a.proxies, r)
	if wait := a.limiter.take(clientip.ShareOf(who)); wait > 0 {
		a.metrics.limited.Inc()
		view.Status, view.Problem, view.Wait = http.StatusTooManyRequests, TooManyFailures, (wait + time.Second - 1).Truncate(time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int(view.Wait/time.Second)))
		a.page(w, r, view)
		return
	}
	var id string
	ok, err := a.passwords.check(r.Context(), r.PostForm.Get(passwordField), func() { id = a.sessions.begin() })
	switch {
	case r.Context().Err() != nil && !ok: // the browser has gone; what it took counts as a failure
	case err != nil:
		a.limiter.give(clientip.ShareOf(who))
		a.log.Error("the console cannot check passwords: nobody can log in", "err", err)
		view.Status, view.Problem = http.StatusServiceUnavailable, CannotCheck
		a.page(w, r, view)
	case !ok:
		a.metrics.failed.Inc()
		a.log.Warn("console: a login with a wrong password", "address", who.String())
		view.Status, view.Problem = http.StatusUnauthorized, WrongPassword
		a.page(w, r, view)
	default:
		a.limiter.give(clientip.ShareOf(who))
		a.startSession(w, r, id)
		a.log.Info("console: a login", "address", who.String())
		http.Redirect(w, r, view.Next, http.StatusSeeOther)
	}
}

// startSession puts a new session in the place of the one that the browser may have had: an id that somebody gave to it is worth nothing.
func (a *Authenticator) startSession(w http.ResponseWriter, r *http.Request, id string) {
	for _, before := range a.cookieValues(r) {
		a.sessions.finish(before)
	}
	a.metrics.loggedIn.Inc()
	a.setCookie(w, r, id)
}

// Logout ends the session, and with it what is streamed to its pages.
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "Logging out takes POST.", http.StatusMethodNotAllowed)
		return
	}
	for _, id := range a.cookieValues(r) {
		a.sessions.finish(id)
	}
	a.clearCookie(w, r)
	http.Redirect(w, r, LoginPath, http.StatusSeeOther)
}
