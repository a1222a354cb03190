package edge

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/clientip"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
	"github.com/millrace/millrace/pkg/tracing"
)

// handler serves the endpoints. Checks run in the order of the public contract: each returns a refusal, or nil for
// the next check. respond writes the one answer.
type handler struct {
	*endpoints
	config     *Config
	limits     payload.Limits
	verifier   *connection.Verifier
	activity   *connection.Recorder
	producer   *stream.Producer
	admit      *admission
	clock      clock
	metrics    *metrics
	log        *slog.Logger
	trusted    clientip.Proxies
	tracer     *tracing.Tracer // nil if traces are off
	retryAfter string

	// decompressing holds one token per body being decompressed. A decompressor's window and tables take up to 20 MiB
	// that no body limit counts, so there are at most as many as processors.
	decompressing chan struct{}

	warnedAt atomic.Int64 // Unix seconds of the last warning about records that were not stored
}

const secretHeader = "X-Greenflash-Secret" //nolint:gosec // the header's name

// serve answers one request. Bodies and payloads are released by deferred calls, so that a panic costs one answer and
// does not leak in-flight bytes.
func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	defer h.recover(ctx)
	var started time.Time
	if h.tracer != nil {
		started = time.Now()
	}
	e, c, refused := h.authenticate(ctx)
	switch {
	case refused != nil:
		h.refuse(ctx, refused)
	case !h.admit.enter():
		h.refuse(ctx, overloaded)
	default:
		defer h.admit.leave()
		traced := h.trace(ctx, e, c, started)
		if stored, refused := h.process(ctx, e, c, traced); refused != nil {
			h.refuse(ctx, refused)
		} else {
			stored.write(ctx)
		}
		traced.End(ctx.Response.StatusCode())
	}
}

// expect decides whether a sender with "Expect: 100-continue" should send its body.
func (h *handler) expect(ctx *fasthttp.RequestCtx) (status int) {
	status = internalError.status // after a panic
	defer h.recover(ctx)
	_, _, refused := h.authenticate(ctx)
	if refused == nil && ctx.Request.Header.ContentLength() > h.config.MaxBodyBytes {
		refused = bodyTooLarge
	}
	if refused == nil {
		return fasthttp.StatusContinue
	}
	h.refuse(ctx, refused)
	return refused.status
}

// authenticate runs the checks that need no body.
func (h *handler) authenticate(ctx *fasthttp.RequestCtx) (*endpoint, *connection.Connection, *refusal) {
	e, token := h.route(ctx.Request.Header.RequestURI())
	switch {
	case e == nil:
		return nil, nil, notFound
	case !ctx.IsPost():
		return nil, nil, methodNotAllowed
	case e.bearer:
		token = bearerToken(&ctx.Request.Header)
	}
	c, err := h.verifier.Verify(ctx, token, ctx.Request.Header.Peek(secretHeader))
	return e, c, h.checkConnection(e, c, err)
}

// checkConnection refuses requests to a connection that accepts none. It counts requests to a paused connection.
func (h *handler) checkConnection(e *endpoint, c *connection.Connection, err error) *refusal {
	switch {
	case errors.Is(err, connection.ErrInvalid):
		return e.unauthorized
	case err != nil:
		return registryUnavailable
	case c.State != connection.Enabled:
		h.activity.Seen(c.ID, time.Now(), connection.Counts{Paused: 1})
		return paused
	}
	return nil
}

// process reads the body, parses it and stores its messages durably.
func (h *handler) process(
	ctx *fasthttp.RequestCtx,
	e *endpoint,
	c *connection.Connection,
	traced *tracing.Request,
) (stored, *refusal) {
	start := time.Now()
	b, refused := h.body(ctx)
	if refused != nil {
		return stored{}, refused
	}
	defer func() { b.release() }() // nil once the records own it
	p := e.payload()
	defer e.payloads.Put(p)
	p.HashKeys = c.Salts > 1
	if err := p.Parse(b.bytes, h.limits); err != nil {
		return stored{}, parseRefusal(err)
	}
	traced.Received(p.Received(), p.Accepted)
	// The body may have taken long to arrive. A connection that was changed meanwhile stores nothing.
	c, err := h.verifier.Confirm(c)
	if refused := h.checkConnection(e, c, err); refused != nil {
		return stored{}, refused
	}
	out := h.producer.NewRequest(p.Accepted+p.Invalid, b.release)
	b = nil
	if err := h.produce(p, out, e, c, traced); err != nil {
		h.warn(start, c.ID, err)
		return stored{}, notAcknowledged
	}
	// The connection may have been rotated or paused while the brokers acknowledged. The command that did it has
	// returned, so no edge may answer by the old state.
	c, err = h.verifier.Confirm(c)
	if refused := h.checkConnection(e, c, err); refused != nil {
		return stored{}, refused
	}
	now := time.Now()
	h.metrics.stored(p, now.Sub(start))
	h.activity.Seen(
		c.ID,
		now,
		connection.Counts{Accepted: uint64(p.Accepted), Ignored: uint64(p.Ignored), Dead: uint64(p.Invalid)},
	)
	return stored{
		received: p.Received(),
		accepted: p.Accepted,
		dropped:  p.Ignored + p.Invalid,
		errors:   p.Errors(maxListedErrors),
	}, nil
}

// produce writes accepted messages and dead letters and waits for the acknowledgement. The records refer to the body,
// which may be in use after produce has returned.
func (h *handler) produce(
	p *payload.Payload,
	out *stream.Request,
	e *endpoint,
	c *connection.Connection,
	traced *tracing.Request,
) error {
	traceparent := traced.Produce()
	source := stream.Source{Workspace: c.WorkspaceID, Product: c.ProductID, Connection: c.ID, Provider: e.provider}
	receivedAt := h.clock.reserve(p.Accepted + p.Invalid)
	for i := range p.Messages {
		m := &p.Messages[i]
		switch {
		case m.Duplicate:
			continue
		case m.Reason == payload.Accepted:
			out.AddMessage(e.kind, &source, receivedAt, m.Raw, p.Context)
			if c.Salts > 1 {
				out.SetSalt(m.KeyHash, c.Salts)
			}
		case m.Reason.Invalid():
			dead := stream.DeadLetter{OriginalKind: e.kind, Reason: m.Reason.Code(), Detail: m.Reason.Sentence()}
			out.AddDeadLetter(&source, receivedAt, m.Raw, p.Context, &dead)
		default:
			continue
		}
		out.SetTrace(traceparent)
		receivedAt++
	}
	start := time.Now()
	// Not the request's context: the sender may hang up, but records already sent are worth an acknowledgement.
	err := out.Send(context.Background())
	traced.Produced(err)
	if err != nil {
		return err
	}
	h.metrics.acknowledge.Observe(time.Since(start).Seconds())
	return nil
}

// trace starts the trace of an admitted request; nil for requests that are not sampled.
func (h *handler) trace(
	ctx *fasthttp.RequestCtx,
	e *endpoint,
	c *connection.Connection,
	started time.Time,
) *tracing.Request {
	if h.tracer == nil {
		return nil
	}
	return h.tracer.Request(ctx.Request.Header.Peek(tracing.Header), started,
		tracing.Asked{Route: e.pattern, Workspace: c.WorkspaceID, Product: c.ProductID, Connection: c.ID})
}

// warn logs, at most once a second, that requests are not stored.
func (h *handler) warn(now time.Time, connectionID string, err error) {
	if second := now.Unix(); h.warnedAt.Swap(second) != second {
		h.log.Warn("requests are not stored", "one_connection", connectionID, "error", err)
	}
}

// refuse counts, logs and writes a refusal. It reads the rest of the body, so that the sender reads the answer.
func (h *handler) refuse(ctx *fasthttp.RequestCtx, r *refusal) {
	h.metrics.refused(r)
	if h.log.Enabled(ctx, slog.LevelDebug) {
		forwarded := bytes.Join(ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor), []byte{','})
		client := h.trusted.Client(addressOf(ctx.RemoteAddr()), string(forwarded))
		h.log.Debug("request refused", "status", r.status, "code", r.code, "client", client)
	}
	discardBody(ctx, h.config.ReadTimeout)
	r.write(ctx, h.retryAfter)
}

// recover answers 500 after a panic.
func (h *handler) recover(ctx *fasthttp.RequestCtx) {
	if panicked := recover(); panicked != nil {
		h.metrics.panics.Inc()
		telemetry.BUG(h.log, "serving a request", panicked, debug.Stack())
		ctx.Response.Reset()
		ctx.SetConnectionClose()
		h.refuse(ctx, internalError)
	}
}
