package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says what is traced.
type Config struct {
	TraceSample   float64 `help:"Share of requests whose way is traced, from 0 to 1; 0 is none, and costs nothing. A loader follows what edges have chosen, so that here any number above 0 is the same." default:"0"`
	TraceEndpoint string  `help:"Where traces go, by OTLP over HTTP, such as http://127.0.0.1:4318. Without it OTEL_EXPORTER_OTLP_ENDPOINT holds; the other OTEL_EXPORTER_OTLP_ variables do in any case." placeholder:"URL"`
}

// tracesPath is what OTLP puts behind an address without a path.
const tracesPath = "/v1/traces"

// Validate checks what can be checked without asking anybody.
func (c *Config) Validate() error {
	if !(c.TraceSample >= 0 && c.TraceSample <= 1) { // NaN is neither
		return fmt.Errorf("--trace-sample is %v, but must be from 0 to 1", c.TraceSample)
	}
	if c.TraceEndpoint != "" {
		_, err := c.endpoint()
		return err
	}
	if c.TraceSample > 0 &&
		cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) == "" {
		return errors.New(
			"--trace-sample is above 0, and nothing says where traces go: set --trace-endpoint (MILLRACE_TRACE_ENDPOINT) or OTEL_EXPORTER_OTLP_ENDPOINT",
		)
	}
	return nil
}

// endpoint does not show in its error what was given: it may hold a password.
func (c *Config) endpoint() (string, error) {
	u, err := url.Parse(c.TraceEndpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("--trace-endpoint must be a URL such as http://127.0.0.1:4318")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = tracesPath
	}
	return u.String(), nil
}

// Tracer makes spans and sends them away. A nil one is off.
type Tracer struct {
	spans    trace.Tracer
	provider *sdk.TracerProvider
	sample   uint64 // of 1<<63 trace ids; see chosen
}

// Start makes a tracer of the service, nil if nothing is traced. It does not wait for who takes the traces. Spans that
// cannot be sent are dropped, and the log is told.
func (c *Config) Start(service string, log *slog.Logger) (*Tracer, error) {
	if err := c.Validate(); err != nil || c.TraceSample == 0 {
		return nil, err
	}
	var options []otlptracehttp.Option
	if c.TraceEndpoint != "" {
		endpoint, err := c.endpoint()
		if err != nil {
			return nil, err
		}
		options = append(options, otlptracehttp.WithEndpointURL(endpoint))
	}
	exporter, err := otlptracehttp.New(context.Background(), options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the export of traces: %w", err)
	}
	// Nothing of the process beyond this: its command line may hold a password.
	about, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("say in traces where they come from: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are lost", "error", err) }))
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter),
		sdk.WithResource(about),
		sdk.WithSampler(sdk.AlwaysSample()),
	)
	return &Tracer{
		spans:    provider.Tracer("github.com/millrace/millrace"),
		provider: provider,
		sample:   uint64(c.TraceSample * (1 << 63)),
	}, nil
}

// closeTimeout is how long an end waits for traces to be taken.
const closeTimeout = 3 * time.Second

// Close sends what is there.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // traces are no promise
}
