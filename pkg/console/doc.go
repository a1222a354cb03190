// Package console is Millrace's web interface: connect a source, watch its messages arrive, and see the outcomes.
// Pages are rendered on the server; htmx and server-sent events update them. There is no build step, and browsers load
// nothing from other servers.
//
// Files, in the order a request meets them:
//
//	config.go       the flags
//	console.go      the routes
//	page.go         templates, errors, fragments
//	format.go       formats of times and numbers
//	sse.go          server-sent events
//	metrics.go      metrics
//	connections.go  the list of connections and its updates
//	create.go       a new connection
//	url_pages.go    the page that shows a new URL once
//	changes.go      pause, rotate and so on: confirmation and effect
//	token_cache.go  tokens of connections created by this process
//	test_message.go a test message through the real edge
//	connection.go   the page of one connection
//	feed.go         its messages as they arrive, and their progress
//	feed_dropped.go counts of its dropped messages
//	message.go      the page of one message
//	traffic.go      counts of connections from ClickHouse
//	dead_letters.go dead letters by reason
//	replay.go       replays of dead letters
//	outcomes.go     the page of charts
//	charts.go       time range, product and charts of a page
//	whatif.go       what a pasted message would become
//
// Packages below: auth decides which requests are answered, assets holds scripts and style sheets, tail reads the end
// of the log, query queries ClickHouse.
package console
