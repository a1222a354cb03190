// Package load sends requests and times their answers, at little cost of its own, for it shares the processors with
// what it measures: bodies are made beforehand, a request is one write, and nothing is allocated for an answer.
//
// In a closed loop each connection sends when it has its answer: that shows how much is taken at most. In an open loop
// requests are due at a rate, whatever becomes of those before, and a latency counts from when the request was due: a
// server that stands still is charged for all requests that it kept from being sent.
//
// Files, in the order in which a run meets them:
//
//	config.go  what is sent, where to, how fast
//	run.go     a run and its connections
//	worker.go  one connection
//	result.go  what came of it
package load
