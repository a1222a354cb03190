// Package edge takes events over HTTP, from Segment and by our own API, and by the latter who users are and
// what happens in conversations. It answers when everything in a request is safe in the log.
//
// A request's way, file by file:
//
//	service.go   what the edge is made of, how it starts and drains
//	peers.go     how many connections are the share of who is at the other end
//	linger.go    the end of a connection whose sender is still sending
//	deadline.go  time-outs of a connection, armed where they are waited for
//	tls.go       the certificate, kept up to date
//	server.go    the HTTP server, set up to face strangers
//	route.go     what there is at a path, and where its token stands
//	handler.go   the checks in the order of the public contract, and the answer
//	admission.go how much may be in flight at once
//	body.go      reading a body within its limits
//	encoding.go  undoing its compression
//	answer.go    what is said to the sender
//	clock.go     when a message was received
//	metrics.go   what is counted
package edge
