package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
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

// handler serves the endpoints. The order in which it checks is the public contract's.
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
	tracer     *tracing.Tracer // nil if it is off
	retryAfter string

	// decompressing holds a place for each body that is being decompressed. A decompressor's window and
	// tables take up to some 20 MiB that no limit on bodies sees, and more of them than processors are of no use.
	decompressing chan struct{}

	warnedAt atomic.Int64 // Unix seconds

}

const secretHeader = "X-Greenflash-Secret" //nolint:gosec // the header's name

// serve answers one request. It never returns before the answer is true. Bodies and payloads are given
// back by deferred calls, so that a panic costs one answer and not the memory that is counted as held.
func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	defer h.recover(ctx)
	var came time.Time
	if h.tracer != nil {
		came = time.Now()
	}
	e, c := h.authenticate(ctx)
	switch {
	case c == nil:
	case !h.admit.enter():
		h.refuse(ctx, overloaded)
	default:
		defer h.admit.leave()
		traced := h.trace(ctx, e, c, came)
		h.take(ctx, e, c, traced)
		traced.End(ctx.Response.StatusCode())
	}
}

// trace begins the trace of a request that has been let in; nil for most.
func (h *handler) trace(ctx *fasthttp.RequestCtx, e *endpoint, c *connection.Connection, came time.Time) *tracing.Request {
	if h.tracer == nil {
		return nil
	}
	return h.tracer.Request(ctx.Request.Header.Peek(tracing.Header), came,
		tracing.Asked{Route: e.pattern, Workspace: c.WorkspaceID, Product: c.ProductID, Connection: c.ID})
}

// expect decides whether a sender that asks first (Expect: 100-continue) shall send its body.
func (h *handler) expect(ctx *fasthttp.RequestCtx) (status int) {
	status = internalError.status // after a panic
	defer h.recover(ctx)
	if _, c := h.authenticate(ctx); c == nil {
		return ctx.Response.StatusCode()
	}
	if ctx.Request.Header.ContentLength() > h.config.MaxBodyBytes {
		h.refuse(ctx, bodyTooLarge)
		return bodyTooLarge.status
	}
	return fasthttp.StatusContinue
}

// authenticate makes the checks that need no body. It returns the endpoint and the connection, or none of
// that after it has answered.
func (h *handler) authenticate(ctx *fasthttp.RequestCtx) (*endpoint, *connection.Connection) {
	e, token := h.route(ctx.Request.Header.RequestURI())
	switch {
	case e == nil:
		h.refuse(ctx, notFound)
		return nil, nil
	case !ctx.IsPost():
		h.refuse(ctx, notPost)
		return nil, nil
	case e.bearer:
		token = bearerToken(&ctx.Request.Header)
	}
	c, err := h.verifier.Verify(ctx, token, ctx.Request.Header.Peek(secretHeader))
	if !h.open(ctx, e, c, err) {
		return nil, nil
	}
	return e, c
}

// open answers for a connection that takes nothing, and tells whether this one does.
func (h *handler) open(ctx *fasthttp.RequestCtx, e *endpoint, c *connection.Connection, err error) bool {
	switch {
	case errors.Is(err, connection.ErrInvalid):
		h.refuse(ctx, e.unauthorized)
	case err != nil:
		h.refuse(ctx, registryStale)
	case c.State != connection.Enabled:
		h.metrics.paused.Inc()
		h.activity.Seen(c.ID, time.Now(), connection.Counts{Paused: 1})
		h.discard(ctx)
		ctx.SetStatusCode(fasthttp.StatusNoContent)
	default:
		return true
	}
	return false
}

// take reads the body, cuts it into messages and stores them.
func (h *handler) take(ctx *fasthttp.RequestCtx, e *endpoint, c *connection.Connection, traced *tracing.Request) {
	start := time.Now()
	b, refused := h.body(ctx)
	if refused != nil {
		h.refuse(ctx, refused)
		return
	}
	defer func() { b.release() }() // nil once it is the records'
	p := e.payload()
	defer e.payloads.Put(p)
	p.HashKeys = c.Salts > 1
	if err := p.Parse(b.bytes, h.limits); err != nil {
		h.refuse(ctx, refusalOf(err))
		return
	}
	traced.Received(p.Received(), p.Accepted)
	out := h.producer.NewRequest(p.Accepted+p.Invalid, b.release)
	b = nil
	if err := h.store(p, out, e, c, traced); err != nil {
		h.warn(start, c.ID, err)
		h.refuse(ctx, notDurable)
		return
	}
	// The brokers may have taken their time, and the connection may have been rotated or paused meanwhile:
	// who did that was told that no edge answers by the old state any more.
	if c, err := h.verifier.Confirm(c); h.open(ctx, e, c, err) {
		now := time.Now()
		h.metrics.stored(p, now.Sub(start))
		h.activity.Seen(c.ID, now, connection.Counts{Accepted: uint64(p.Accepted), Ignored: uint64(p.Ignored), Dead: uint64(p.Invalid)})
		accept(ctx, p)
	}
}

// warn says once a second at most that requests are not stored: without a broker it is all of them.
func (h *handler) warn(now time.Time, connectionID string, err error) {
	if second := now.Unix(); h.warnedAt.Swap(second) != second {
		h.log.Warn("requests are not stored", "one_connection", connectionID, "error", err)
	}
}

func refusalOf(err error) *refusal {
	var r *payload.Refusal
	if errors.As(err, &r) {
		return ofPayload(r)
	}
	return internalError
}

// store writes accepted messages and dead letters and waits for the brokers. The records refer to the
// body, which can be in use after this has returned.
func (h *handler) store(p *payload.Payload, out *stream.Request, e *endpoint, c *connection.Connection, traced *tracing.Request) error {
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
			letter := stream.DeadLetter{OriginalKind: e.kind, Reason: m.Reason.Code(), Detail: m.Reason.Sentence()}
			out.AddDeadLetter(&source, receivedAt, m.Raw, p.Context, &letter)
		default:
			continue
		}
		out.SetTrace(traceparent)
		receivedAt++
	}
	start := time.Now()
	// Not the request's context: its sender may hang up, but what is under way is worth finishing.
	err := out.Send(context.Background())
	traced.Produced(err)
	if err != nil {
		return err
	}
	h.metrics.acknowledge.Observe(time.Since(start).Seconds())
	return nil
}

// body reads and decompresses what was sent.
func (h *handler) body(ctx *fasthttp.RequestCtx) (*body, *refusal) {
	b := acquireBody(h.admit)
	ours := b
	defer func() { ours.release() }() // nil once it is the caller's
	if err := b.read(bodyStream(ctx), ctx.Request.Header.ContentLength(), h.config.MaxBodyBytes); err != nil {
		return nil, bodyRefusal(err)
	}
	h.metrics.bytes.Add(float64(len(b.bytes)))
	encoding, err := encodingOf(ctx.Request.Header.PeekAll(fasthttp.HeaderContentEncoding))
	if err != nil {
		return nil, badEncoding
	}
	if encoding != "" {
		return h.plain(encoding, b.bytes)
	}
	ours = nil
	return b, nil
}

// decompressWait is how long a body waits for its turn to be decompressed.
const decompressWait = 5 * time.Second

func (h *handler) plain(encoding string, packed []byte) (*body, *refusal) {
	select {
	case h.decompressing <- struct{}{}:
		defer func() { <-h.decompressing }()
	case <-time.After(decompressWait):
		return nil, overloaded
	}
	b := acquireBody(h.admit)
	ours := b
	defer func() { ours.release() }() // nil once it is the caller's
	if err := decompress(encoding, packed, b, h.config.MaxBodyBytes); err != nil {
		return nil, bodyRefusal(err)
	}
	ours = nil
	return b, nil
}

// bodyStream is the body's stream; a request without a body has none.
func bodyStream(ctx *fasthttp.RequestCtx) io.Reader {
	if r := ctx.RequestBodyStream(); r != nil {
		return r
	}
	return eof{}
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func bodyRefusal(err error) *refusal {
	var timeout net.Error
	switch {
	case errors.Is(err, errBodyTooLarge):
		return bodyTooLarge
	case errors.Is(err, errOverloaded):
		return overloaded
	case errors.Is(err, errNotDecodable):
		return notDecodable
	case errors.As(err, &timeout) && timeout.Timeout():
		return tooSlow
	}
	return bodyTruncated
}

func (h *handler) refuse(ctx *fasthttp.RequestCtx, r *refusal) {
	h.metrics.refused(r)
	if h.log.Enabled(ctx, slog.LevelDebug) {
		client := h.trusted.Client(addressOf(ctx.RemoteAddr()), string(bytes.Join(ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor), []byte{','})))
		h.log.Debug("a request was refused", "status", r.status, "code", r.code, "client", client)
	}
	h.discard(ctx)
	r.write(ctx, h.retryAfter)
}

const (
	discardBytes   = 64 << 20    // how much is read of a body that is not wanted
	discardStep    = 16 << 10    // how much of it has to come
	discardSilence = time.Second // in this time
)

// discard reads what is left of a body, within reason: most senders look for an answer only when they
// have sent everything, and closing on them would take the answer away. One that does not go on sending
// gets it at once.
func (h *handler) discard(ctx *fasthttp.RequestCtx) {
	answeredEarly(ctx.Conn()) // at the end of the connection, if this is it, the rest is waited for
	r := ctx.RequestBodyStream()
	if r == nil {
		return
	}
	end := time.Now().Add(h.config.ReadTimeout)
	for range discardBytes / discardStep {
		deadline := time.Now().Add(discardSilence)
		if deadline.After(end) {
			deadline = end
		}
		if ctx.SetReadDeadline(deadline) != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, r, discardStep); err != nil {
			return // the end, or the server closes the connection
		}
	}
}

func (h *handler) recover(ctx *fasthttp.RequestCtx) {
	if panicked := recover(); panicked != nil {
		h.metrics.panics.Inc()
		telemetry.BUG(h.log, "serving a request", panicked, debug.Stack())
		ctx.Response.Reset()
		ctx.SetConnectionClose()
		h.refuse(ctx, internalError)
	}
}
