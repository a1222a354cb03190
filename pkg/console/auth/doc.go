// Package auth protects every page of the console: it decides which requests are answered.
//
// On loopback without further settings, every request from this machine is allowed; only requests that pages of other
// sites make through a browser are refused. Elsewhere a user needs a password, which starts a session, or a user name
// set by a trusted proxy. Nothing is logged or shown of a password, a cookie or a header.
//
// Files, in the order a request meets them:
//
//	config.go         the flags
//	auth.go           the handler in front of the console's pages
//	headers.go        security headers of every answer
//	host.go           which Host headers are answered: DNS rebinding
//	origin.go         which origins may send requests: CSRF
//	proxies.go        the user that a trusted proxy names
//	login.go          login and logout
//	next.go           the page that follows a login
//	limit.go          rate limit of failed logins
//	password.go       the password's hash
//	session.go        sessions and their lifetime
//	session_store.go  sessions in memory
//	cookie.go         the session cookie
//	metrics.go        metrics
package auth
