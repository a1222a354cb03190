package auth

import (
	"context"
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
	// loginReadTimeout limits how long a login form may take to arrive.
	loginReadTimeout = 5 * time.Second
)

// Problem says why the login page is shown again.
type Problem string

// The values of Problem.
const (
	WrongPassword   Problem = "wrong password"
	TooManyFailures Problem = "too many failures"
	CannotCheck     Problem = "cannot check" // the password file is unusable; the log says why
)

// LoginView is the content of a login page: a form that posts the fields "password" and "next" to LoginPath.
type LoginView struct {
	Status  int           // HTTP status to write
	Problem Problem       // empty on the first visit
	Wait    time.Duration // with TooManyFailures: whole seconds until the next attempt
	Next    string        // value of the field "next": the page that follows the login
}

// LoginPage writes a login page.
type LoginPage func(w http.ResponseWriter, r *http.Request, view LoginView)

// Login shows the login page, and starts a session for a correct password.
func (a *Authenticator) Login(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "Use GET or POST for the login page.", http.StatusMethodNotAllowed)
	case a.passwordFile == "":
		http.Redirect(w, r, Path, http.StatusSeeOther) // no password is configured
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
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(loginReadTimeout)) // fails only for a reader without deadlines
	err := r.ParseForm()
	if err != nil {
		w.Header().Set("Connection", "close") // otherwise net/http waits for the rest of the body
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "The form cannot be read.", status)
		return
	}
	_ = connection.SetReadDeadline(time.Time{}) // a password check may wait longer
	view := LoginView{Next: localPath(r.PostForm.Get(nextField))}
	client := clientAddress(a.proxies, r)
	share := clientip.ShareOf(client)
	if wait := a.limiter.take(share); wait > 0 {
		a.metrics.limited.Inc()
		view.Status, view.Problem = http.StatusTooManyRequests, TooManyFailures
		view.Wait = (wait + time.Second - 1).Truncate(time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int(view.Wait/time.Second)))
		a.page(w, r, view)
		return
	}
	id, ok, err := a.newSession(r.Context(), r.PostForm.Get(passwordField))
	switch {
	case r.Context().Err() != nil && !ok: // the browser has disconnected; the attempt counts as a failure
	case err != nil:
		a.limiter.giveBack(share)
		a.log.Error("the console cannot check passwords: all logins fail", "err", err)
		view.Status, view.Problem = http.StatusServiceUnavailable, CannotCheck
		a.page(w, r, view)
	case !ok:
		a.metrics.failed.Inc()
		a.log.Warn("console: login with a wrong password", "address", client.String())
		view.Status, view.Problem = http.StatusUnauthorized, WrongPassword
		a.page(w, r, view)
	default:
		a.limiter.giveBack(share)
		a.startSession(w, r, id)
		a.log.Info("console: login", "address", client.String())
		http.Redirect(w, r, view.Next, http.StatusSeeOther)
	}
}

// newSession begins a session if the password is correct, and reports whether it was.
func (a *Authenticator) newSession(ctx context.Context, password string) (id string, ok bool, err error) {
	var beginErr error
	ok, err = a.passwords.check(ctx, password, func() { id, beginErr = a.sessions.begin() })
	return id, ok && beginErr == nil, errors.Join(err, beginErr)
}

// startSession gives the browser a new session in place of its old one: an attacker may have set the old id.
func (a *Authenticator) startSession(w http.ResponseWriter, r *http.Request, id string) {
	for _, old := range a.sessionIDs(r) {
		a.sessions.end(old)
	}
	a.metrics.loggedIn.Inc()
	a.setCookie(w, r, id)
}

// Logout ends the session and the streams of its pages.
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "Use POST to log out.", http.StatusMethodNotAllowed)
		return
	}
	for _, id := range a.sessionIDs(r) {
		a.sessions.end(id)
	}
	a.clearCookie(w, r)
	http.Redirect(w, r, LoginPath, http.StatusSeeOther)
}
