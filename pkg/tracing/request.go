package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Request is a request that is traced. It is of one goroutine.
type Request struct {
	spans   trace.Tracer
	ctx     context.Context
	span    trace.Span
	produce trace.Span
	begun   time.Time
}

// Asked is whose a request is. None of it is secret.
type Asked struct {
	Route                          string // what the path is like, never the path
	Workspace, Product, Connection string
}

// Request begins the trace of a request that came at begun with that traceparent, which may be nil. It is nil itself if
// the request is not traced.
func (t *Tracer) Request(traceparent []byte, begun time.Time, asked Asked) *Request {
	parent := parse(traceparent)
	if !t.chosen(parent) {
		return nil
	}
	r := &Request{spans: t.spans, begun: begun}
	r.ctx, r.span = t.spans.Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "POST "+asked.Route,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(begun), trace.WithAttributes(
			attribute.String("http.request.method", "POST"),
			attribute.String("http.route", asked.Route),
			attribute.String(
				"millrace.workspace",
				asked.Workspace,
			),
			attribute.String("millrace.product", asked.Product),
			attribute.String("millrace.connection", asked.Connection),
		))
	return r
}

// Received ends the part in which the body is read and cut into messages.
func (r *Request) Received(messages, accepted int) {
	if r == nil {
		return
	}
	_, span := r.spans.Start(r.ctx, "receive", trace.WithTimestamp(r.begun), trace.WithAttributes(
		attribute.Int("millrace.messages", messages), attribute.Int("millrace.accepted", accepted)))
	span.End()
}

// Produce begins the part in which records are written, and returns the traceparent for them, nil if there is none.
func (r *Request) Produce() []byte {
	if r == nil {
		return nil
	}
	_, r.produce = r.spans.Start(r.ctx, "produce", trace.WithSpanKind(trace.SpanKindProducer))
	return format(r.produce.SpanContext())
}

// Produced ends it: the brokers have acknowledged everything, or there is an error.
func (r *Request) Produced(err error) {
	if r == nil {
		return
	}
	end(r.produce, err)
}

// End ends the trace here, with the answer's status.
func (r *Request) End(status int) {
	if r == nil {
		return
	}
	r.span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= 500 {
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End()
}

// end marks a span as failed if there is an error. The log has the error's text.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
