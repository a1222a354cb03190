package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const sampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func tracer(t *testing.T, share float64) (*Tracer, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return &Tracer{spans: provider.Tracer("test"), provider: provider, sample: uint64(share * (1 << 63))}, recorder
}

// OpenTelemetry's own reader is the second opinion. It takes longer ones of later versions, too.
func TestParse(t *testing.T) {
	for _, text := range []string{
		sampledParent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02", "", "canary", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", "00+0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "zz" + sampledParent[2:],
	} {
		carrier := propagation.HeaderCarrier(http.Header{"Traceparent": {text}})
		theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		ours := parse([]byte(text))
		require.Equal(t, theirs.IsValid(), ours.IsValid(), text)
		require.Equal(t, theirs.IsSampled(), ours.IsSampled() && ours.IsValid(), text)
		if ours.IsValid() && ours.IsSampled() && text[:2] == "00" {
			require.True(t, ours.Equal(theirs), text)
			require.Equal(t, sampledParent[:53], string(format(ours))[:53])
		}
	}
	require.False(t, parse([]byte(sampledParent+"-")).IsValid())
	require.Equal(t, sampledParent, string(format(parse([]byte(sampledParent)))))
}

// The share is kept, whether or not requests bring a trace, and of those that do the same are chosen as by OpenTelemetry.
func TestTheShareIsKept(t *testing.T) {
	const n, share = 20_000, 0.25
	tr, _ := tracer(t, share)
	theirs := sdk.TraceIDRatioBased(share)
	roots, parts := 0, 0
	for i := range n {
		if tr.chosen(trace.SpanContext{}) {
			roots++
		}
		parent := parse(fmt.Appendf(nil, "00-0af7651916cd43dd%016x-b7ad6b7169203331-01", uint64(i)*0x9e3779b97f4a7c15))
		chosen := tr.chosen(parent)
		decision := theirs.ShouldSample(sdk.SamplingParameters{ParentContext: context.Background(), TraceID: parent.TraceID()}).Decision
		require.Equal(t, decision == sdk.RecordAndSample, chosen)
		if chosen {
			parts++
		}
	}
	require.InDelta(t, n*share, roots, 600) // ten standard deviations
	require.InDelta(t, n*share, parts, 600)
	all, _ := tracer(t, 1)
	require.True(t, all.chosen(trace.SpanContext{}))
	require.False(t, all.chosen(parse([]byte(sampledParent[:53]+"00"))), "who does not sample a trace is followed")
}

// What is not traced costs no memory, and what is off is nil all the way.
func TestWhatIsNotTracedIsNothing(t *testing.T) {
	tr, recorder := tracer(t, 0)
	came, failed := time.Now(), errors.New("canary")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, r := range []*Request{tr.Request([]byte(sampledParent), came, Asked{Route: "/"}), tr.Request(nil, came, Asked{})} {
			r.Received(1, 1)
			if r.Produce() != nil {
				t.Fatal("a traceparent of nothing")
			}
			r.Produced(failed)
			r.End(500)
		}
		b := (*Tracer)(nil).Block(&Requests{}, "p", 1)
		b.Stage("insert", came, failed)
		b.End(failed)
	}))
	require.Nil(t, tr.Block(&Requests{}, "p", 1))
	require.Empty(t, recorder.Ended())
	(*Tracer)(nil).Close()
}

func TestFailuresAreMarkedAndNotQuoted(t *testing.T) {
	tr, recorder := tracer(t, 1)
	r := tr.Request(nil, time.Now(), Asked{Route: "/v1/events"})
	parent := r.Produce()
	r.Produced(errors.New("canary"))
	r.End(503)
	var met Requests
	met.Meet(parent)
	b := tr.Block(&met, "t/0", 1)
	b.Stage("insert", time.Now(), errors.New("canary"))
	b.End(errors.New("canary"))
	names := map[string]codes.Code{}
	for _, span := range recorder.Ended() {
		names[span.Name()] = span.Status().Code
		require.NotContains(t, fmt.Sprint(span.Status(), span.Attributes(), span.Events()), "canary")
		require.Equal(t, recorder.Ended()[0].SpanContext().TraceID(), span.SpanContext().TraceID())
	}
	require.Equal(t, map[string]codes.Code{"produce": codes.Error, "POST /v1/events": codes.Error, "map": codes.Unset, "insert": codes.Error, "load block": codes.Error}, names)
}

// A block remembers so many requests, each once.
func TestRequestsOfABlockAreBounded(t *testing.T) {
	var met Requests
	for i := range 3 * maxRequests {
		met.Meet(fmt.Appendf(nil, "00-0af7651916cd43dd8448eb211c80319c-%016x-01", i/2+1))
	}
	met.Meet([]byte(sampledParent[:53] + "00"))
	met.Meet([]byte("canary"))
	require.Len(t, met.parents, maxRequests)
	tr, recorder := tracer(t, 1)
	tr.Block(&met, "t/0", 7).End(nil)
	require.Len(t, recorder.Ended(), maxRequests+1, "the block, what was mapped, and that each of the others was loaded")
}

func TestConfig(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	var c Config
	require.NoError(t, kong.ApplyDefaults(&c))
	off, err := c.Start("s", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, off)
	for wrong, c := range map[string]Config{
		"but must be from 0 to 1": {TraceSample: 1.5},
		"nothing says where":      {TraceSample: 1},
		"must be a URL":           {TraceSample: 1, TraceEndpoint: "u:canary@collector:4318"},
	} {
		_, err := c.Start("s", slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, wrong)
		require.NotContains(t, err.Error(), "canary")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	on, err := (&Config{TraceSample: 0.5}).Start("s", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	on.Close()
	for given, want := range map[string]string{"http://c:4318": "http://c:4318/v1/traces", "https://c/": "https://c/v1/traces", "http://c/x": "http://c/x"} {
		got, err := (&Config{TraceEndpoint: given}).endpoint()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
