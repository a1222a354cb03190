// Package load sends requests and measures the latency of their answers. Its own cost is low, because it shares the
// processors with the measured program: bodies exist before the run, a request is one write, and answers allocate
// nothing.
//
// In a closed loop each connection sends when it has its answer, which measures the maximum throughput. In an open loop
// requests are due at a fixed rate, and latency counts from the time when a request was due. A server that stalls
// therefore pays for all requests that it delayed.
//
// Files, in the order in which a run uses them:
//
//	config.go  the configuration and requests of a run
//	run.go     a run and its connections
//	worker.go  one connection
//	result.go  the result
package load
