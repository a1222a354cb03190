package auth

import "net/http"

// checkHost refuses requests under a name that is not the console's, and those that reach an open console from elsewhere.
func (a *Authenticator) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !a.allowsHost(r.Host):
			a.refuse(w, reasonHost, http.StatusMisdirectedRequest,
				"The console does not answer under this name. If it should, name it in --console-host or --console-url.")
		case a.open && isForwarded(r):
			a.refuse(w, reasonForwarded, http.StatusForbidden,
				"A proxy has passed this request on, but the console asks nobody who he is. Demand a password (--console-password-file) or the proxy's word (--console-proxy-header).")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// checkOrigin refuses requests that another site has a browser make (CSRF). SameSite=Strict is the second line.
func (a *Authenticator) checkOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case a.crossOrigin.Check(r) != nil || isCrossSiteLoad(r):
			a.refuse(w, reasonCrossOrigin, http.StatusForbidden, "This request comes from another site's page, or from a browser that does not say whose page it shows.")
		case !a.open && !isSafe(r) && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "":
			a.refuse(w, reasonNoOrigin, http.StatusForbidden, "This request does not say where it comes from. A program has to send the console's address as Origin.")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isSafe(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// isCrossSiteLoad tells whether another site's page loads something of ours into itself, which it may not read, but may measure, and have us
// do work for. To follow a link is something else.
func isCrossSiteLoad(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
	}
	return false
}
