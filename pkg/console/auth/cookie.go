package auth

import "net/http"

// A browser takes a cookie whose name begins with __Host- only over TLS, from this host, for all of its paths: nothing else under
// the domain can put one in its place.
const (
	secureCookie = "__Host-millrace-console"
	plainCookie  = "millrace-console"
)

// isSecure tells whether what is answered travels by TLS to the browser.
func (a *Authenticator) isSecure(r *http.Request) bool { return r.TLS != nil || a.https }

// cookie is what a session's cookie is like, with nothing in it.
func (a *Authenticator) cookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: plainCookie, Path: Path, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if a.isSecure(r) {
		c.Name, c.Path, c.Secure = secureCookie, "/", true
	}
	return c
}

// setCookie has the browser keep a session's id until it is closed.
func (a *Authenticator) setCookie(w http.ResponseWriter, r *http.Request, id string) {
	c := a.cookie(r)
	c.Value = id
	http.SetCookie(w, c)
}

// clearCookie has the browser forget it.
func (a *Authenticator) clearCookie(w http.ResponseWriter, r *http.Request) {
	c := a.cookie(r)
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// cookieValues are the ids that a request shows. A browser sends two cookies of one name if they were set for different paths.
func (a *Authenticator) cookieValues(r *http.Request) (ids []string) {
	for _, c := range r.CookiesNamed(a.cookie(r).Name) {
		ids = append(ids, c.Value)
	}
	return ids
}
