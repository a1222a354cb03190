// Package console is Millrace in a browser: connect a source, watch its messages arrive, and see what came of them. Pages are rendered
// here, and htmx and server-sent events bring what changes; nothing is built for it, and nothing is fetched from elsewhere.
//
// Files, in the order in which a request meets them:
//
//	config.go       the flags
//	console.go      what it is made of, and which address is which page
//	page.go         templates, errors, fragments
//	format.go       how times and numbers are written
//	events.go       server-sent events
//	metrics.go      what operators see
//	connections.go  the list of connections, as it changes
//	create.go       a new connection; the one time that its URL is shown
//	change.go       pause, rotate and so on: asked first, then done
//	fresh.go        tokens that were made here lately
//	probe.go        a test event through the real edge
//	connection.go   one connection
//	liveshow.go     its messages as they arrive, and how far each has come
//	dropped.go      what came of it and is stored nowhere
//	message.go      one message, and what became of it
//	traffic.go      what ClickHouse knows of connections
//	letters.go      dead letters by reason
//	replay.go       the replay of some of them
//	outcomes.go     the plots
//	span.go         which time and which product such pages are about
//	whatif.go       what a pasted message would become
//
// Packages below: guard says who may come in, assets are what browsers load, live reads the end of the log, insight asks ClickHouse.
package console
