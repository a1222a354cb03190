package tracing

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// maxRequests bounds the traced requests that a block remembers. OpenTelemetry keeps no more links of a span either.
const maxRequests = 128

// Requests are the traced requests that have records in a block.
type Requests struct {
	parents []trace.SpanContext
	begun   time.Time // when the first was met
}

// Meet takes in a record's traceparent.
func (r *Requests) Meet(traceparent []byte) {
	parent := parse(traceparent)
	if len(r.parents) >= maxRequests || !parent.IsSampled() || !parent.IsValid() ||
		slices.ContainsFunc(r.parents, parent.Equal) {
		return
	}
	if len(r.parents) == 0 {
		r.begun = time.Now()
	}
	r.parents = append(r.parents, parent)
}

// Block is a block that is traced, because a traced request has records in it.
type Block struct {
	spans  trace.Tracer
	ctx    context.Context
	span   trace.Span
	others []trace.SpanContext
	begun  time.Time
}

// Block begins the trace of a block, when it is mapped; nil if it has none. The block belongs to the first request's
// trace, with what was done with it. It links to the others, whose own traces have that it was loaded.
func (t *Tracer) Block(r *Requests, partition string, entries int) *Block {
	if t == nil || len(r.parents) == 0 {
		return nil
	}
	b := &Block{spans: t.spans, others: slices.Clone(r.parents[1:]), begun: r.begun}
	links := make([]trace.Link, 0, len(b.others))
	for _, other := range b.others {
		links = append(links, trace.Link{SpanContext: other})
	}
	b.ctx, b.span = t.spans.Start(
		trace.ContextWithRemoteSpanContext(context.Background(), r.parents[0]),
		"load block",
		trace.WithSpanKind(
			trace.SpanKindConsumer,
		),
		trace.WithTimestamp(r.begun),
		trace.WithLinks(links...),
		trace.WithAttributes(
			attribute.String("millrace.partition", partition), attribute.Int("millrace.entries", entries)),
	)
	b.Stage("map", r.begun, nil)
	return b
}

// Stage was begun then and is over.
func (b *Block) Stage(name string, begun time.Time, err error) {
	if b == nil {
		return
	}
	_, span := b.spans.Start(b.ctx, name, trace.WithTimestamp(begun))
	end(span, err)
}

// End ends the trace: the block is stored and committed, or there is an error, and it will come again.
func (b *Block) End(err error) {
	if b == nil {
		return
	}
	for _, other := range b.others {
		_, span := b.spans.Start(
			trace.ContextWithRemoteSpanContext(context.Background(), other),
			"load",
			trace.WithSpanKind(
				trace.SpanKindConsumer,
			),
			trace.WithTimestamp(b.begun),
			trace.WithLinks(trace.Link{SpanContext: b.span.SpanContext()}),
		)
		end(span, err)
	}
	end(b.span, err)
}
