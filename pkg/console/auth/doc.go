// Package guard stands before every page of the console and decides who may come in.
//
// On loopback, with nothing else set, everybody may: whoever can ask is on this machine, and what is left to see to is that other
// sites' pages in a browser there cannot. Elsewhere somebody comes in by a password, which gives a session, or by the word of a proxy
// that is trusted, or either. Nothing here logs or shows a password, a cookie or a header.
//
// Files, in the order in which a request meets them:
//
//	config.go    who may come in, as flags
//	guard.go     all of it, and the pages behind it
//	headers.go   what every answer tells the browser to refuse
//	host.go      which hosts are the console's: against DNS rebinding
//	origin.go    which requests come from its own pages: against CSRF
//	proxies.go   whom a proxy speaks for
//	login.go     logging in and out
//	next.go      where a login leads to
//	limit.go     how often one may be wrong
//	password.go  the password's hash
//	session.go   who is in, and for how long
//	cookie.go    how a browser shows it
//	metrics.go   what is counted
package auth
