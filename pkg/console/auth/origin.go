package auth

import "net/http"

// checkHost refuses requests for other hosts, and forwarded requests to an open console.
func (a *Authenticator) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !a.allowsHost(r.Host):
			a.refuse(w, reasonHost, http.StatusMisdirectedRequest,
				"The console does not answer to this host name. Add the name to --console-host or set --console-url.")
		case a.open && isForwarded(r):
			a.refuse(w, reasonForwarded, http.StatusForbidden,
				"A proxy forwarded this request, but the console requires no login. "+
					"Set a password (--console-password-file) or a proxy header (--console-proxy-header).")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// checkOrigin refuses requests that another site makes through a browser (CSRF), in addition to SameSite=Strict.
func (a *Authenticator) checkOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case a.crossOrigin.Check(r) != nil || isCrossSiteLoad(r):
			a.refuse(w, reasonCrossOrigin, http.StatusForbidden,
				"This request comes from another site's page, or the browser does not send its origin.")
		case !a.open && !isSafe(r) && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "":
			a.refuse(w, reasonNoOrigin, http.StatusForbidden,
				"This request has no Origin header. A program must send the console's address as Origin.")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isSafe(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// isCrossSiteLoad reports whether another site's page embeds a resource of the console. The page cannot read it, but
// can measure it and cause load. Following a link is allowed.
func isCrossSiteLoad(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
	}
	return false
}
