package auth

import "net/http"

// headers are on every answer. A handler may put a Cache-Control of its own in place of what is here.
//
// The Referrer-Policy is same-origin and not no-referrer, with which browsers send "Origin: null" along with a form, and without
// TLS the origin is all there is to tell our own forms by. Nothing leaves the console with either.
var headers = map[string]string{
	"Cache-Control": "no-store",
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Referrer-Policy":              "same-origin",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
}

const strictTransport = "max-age=31536000"

func (a *Authenticator) withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range headers {
			h.Set(name, value)
		}
		// Every port of a host would have to speak TLS from then on: no matter of ours on a laptop.
		if host, _ := hostOf(r.Host); a.isSecure(r) && !isLoopback(host) {
			h.Set("Strict-Transport-Security", strictTransport)
		}
		next.ServeHTTP(w, r)
	})
}
