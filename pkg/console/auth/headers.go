package auth

import "net/http"

// headers are set on every answer. A handler may replace Cache-Control.
//
// Referrer-Policy is same-origin: with no-referrer browsers send "Origin: null" with a form. Without TLS the origin is
// the only sign of the console's own forms. No other site gets a referrer with either value.
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
		// The header applies to every port of the host, so it is not set for localhost.
		if host, _ := hostOf(r.Host); a.isSecure(r) && !isLoopback(host) {
			h.Set("Strict-Transport-Security", strictTransport)
		}
		next.ServeHTTP(w, r)
	})
}
