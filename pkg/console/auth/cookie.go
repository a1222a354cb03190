package auth

import "net/http"

// A browser accepts a cookie named __Host-… only over TLS, from this host and for all paths. No other host of the
// domain can replace it.
const (
	secureCookie = "__Host-millrace-console"
	plainCookie  = "millrace-console"
)

// isSecure reports whether the browser reaches the console over TLS.
func (a *Authenticator) isSecure(r *http.Request) bool { return r.TLS != nil || a.https }

// cookie returns a session cookie without a value.
func (a *Authenticator) cookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: plainCookie, Path: Path, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if a.isSecure(r) {
		c.Name, c.Path, c.Secure = secureCookie, "/", true
	}
	return c
}

// setCookie stores a session id in the browser until the browser is closed.
func (a *Authenticator) setCookie(w http.ResponseWriter, r *http.Request, id string) {
	c := a.cookie(r)
	c.Value = id
	http.SetCookie(w, c)
}

func (a *Authenticator) clearCookie(w http.ResponseWriter, r *http.Request) {
	c := a.cookie(r)
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// sessionIDs returns the ids in a request's cookies. A browser sends two cookies of one name if they have different
// paths.
func (a *Authenticator) sessionIDs(r *http.Request) (ids []string) {
	for _, c := range r.CookiesNamed(a.cookie(r).Name) {
		ids = append(ids, c.Value)
	}
	return ids
}
