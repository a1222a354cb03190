// Package tracing follows some requests from the edge into ClickHouse, as OpenTelemetry traces. It alone knows the SDK.
//
// Off is a nil *Tracer, and a request or a block that is not traced is a nil too: all methods take that, and cost
// nothing then. What is written into spans is counts, words of ours, and ids that are no secrets; never a path, a
// header or a text of an error.
//
// Files:
//
//	tracer.go   what is traced, and where that goes
//	parent.go   W3C's traceparent, in a request and in a record
//	request.go  a request at the edge
//	block.go    a block in the loader, and the requests that are in it
package tracing
