package tracing

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// Header is the name of W3C's header, of requests and of records.
const Header = "traceparent"

// parentBytes is the length of what we write and read: version, trace id, span id, flags.
const parentBytes = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// parse reads a traceparent. What is none, and one of a later version that is longer, gives a context that is not
// valid.
func parse(text []byte) (parent trace.SpanContext) {
	if len(text) != parentBytes || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
		text[0] == 'f' && text[1] == 'f' {
		return parent
	}
	var version, flags [1]byte
	var traceID trace.TraceID
	var spanID trace.SpanID
	for _, field := range []struct{ to, from []byte }{
		{version[:], text[:2]}, {traceID[:], text[3:35]}, {spanID[:], text[36:52]}, {flags[:], text[53:]},
	} {
		if _, err := hex.Decode(field.to, field.from); err != nil {
			return parent
		}
	}
	return trace.NewSpanContext(
		trace.SpanContextConfig{
			TraceID:    traceID,
			SpanID:     spanID,
			TraceFlags: trace.TraceFlags(flags[0]) & trace.FlagsSampled,
			Remote:     true,
		},
	)
}

// format writes the traceparent of a span.
func format(c trace.SpanContext) []byte {
	traceID, spanID := c.TraceID(), c.SpanID()
	b := append(make([]byte, 0, parentBytes), "00-"...)
	b = hex.AppendEncode(b, traceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, spanID[:])
	return append(b, "-01"...)
}

// chosen tells whether a request is traced. One that is part of a trace is chosen by that trace's id, as
// OpenTelemetry's own samplers do it: who samples by the same share chooses the same traces, and who does not sample
// one is followed. A sender that marks all it sends gets no more of it than its share.
func (t *Tracer) chosen(parent trace.SpanContext) bool {
	if !parent.IsValid() {
		return rand.Uint64()>>1 < t.sample
	}
	id := parent.TraceID()
	return parent.IsSampled() && binary.BigEndian.Uint64(id[8:])>>1 < t.sample
}
