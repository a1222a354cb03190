// Package console is Millrace in a browser: connect a source, watch its messages arrive, and see what came of them. Pages are rendered
// here, and htmx and server-sent events bring what changes; nothing is built for it, and nothing is fetched from elsewhere.
//
// Files, in the order in which a request meets them:
//
//	config.go       the flags
//	console.go      what it is made of, and which address is which page
//	page.go         templates, errors, fragments
//	format.go       how times and numbers are written
//	sse.go          server-sent events
//	metrics.go      what operators see
//	connections.go  the list of connections, as it changes
//	create.go       a new connection; the one time that its URL is shown
//	changes.go      pause, rotate and so on: asked first, then done
//	token_cache.go  tokens of connections made in this process
//	test_message.go a test message through the real edge
//	connection.go   one connection
//	feed.go         its messages as they arrive, and how far each has come
//	feed_dropped.go counts of dropped messages
//	message.go      one message, and what became of it
//	traffic.go      what ClickHouse knows of connections
//	dead_letters.go dead letters by reason
//	replay.go       the replay of some of them
//	outcomes.go     the plots
//	charts.go       time and product of a page, and its charts
//	whatif.go       what a pasted message would become
//
// Packages below: auth decides who may log in, assets holds scripts and style sheets, tail reads
// the end of the log, query asks ClickHouse.
package console
