// Package edge accepts messages over HTTP: Segment's webhook, and Millrace's own events, identifies and conversation
// activities. It answers 200 when every record of a request is stored durably in Kafka.
//
// Files, in the order a request meets them:
//
//	service.go        the edge: parts, start, readiness, drain
//	config.go         settings and limits
//	address_limit.go  connections per client address
//	deadline.go       time-outs of a connection, set only when it waits
//	tls.go            the certificate, reloaded from its files
//	server.go         the HTTP server, configured for untrusted clients
//	route.go          paths, and the token in path or header
//	handler.go        the checks in the order of the public contract
//	admission.go      requests and bytes in flight
//	body.go           reading a body within its limits
//	encoding.go       decompression
//	clock.go          times of receipt
//	response.go       the answers
//	linger.go         reading on after an early answer
//	metrics.go        metrics
package edge
