package edge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/segment"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/telemetry"
)

// handler serves the endpoint. The order in which it checks is the public contract's.
type handler struct {
	config     *Config
	limits     segment.Limits
	verifier   *connection.Verifier
	activity   *connection.Recorder
	producer   *stream.Producer
	admit      *admission
	clock      clock
	metrics    *metrics
	log        *slog.Logger
	retryAfter string

	payloads sync.Pool
}

const (
	provider     = "segment"
	secretHeader = "X-Greenflash-Secret" //nolint:gosec // the header's name
)

// serve answers one request. It never returns before the answer is true.
func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	defer h.recover(ctx)
	token, found := segmentToken(ctx.Request.Header.RequestURI())
	switch {
	case !found:
		h.refuse(ctx, notFound)
	case !ctx.IsPost():
		h.refuse(ctx, notPost)
	default:
		h.authenticate(ctx, token)
	}
}

func (h *handler) authenticate(ctx *fasthttp.RequestCtx, token []byte) {
	c, err := h.verifier.Verify(ctx, token, ctx.Request.Header.Peek(secretHeader))
	switch {
	case errors.Is(err, connection.ErrInvalid):
		h.refuse(ctx, unauthorized)
	case err != nil:
		h.refuse(ctx, registryStale)
	case c.State != connection.Enabled:
		h.metrics.paused.Inc()
		h.discard(ctx)
		ctx.SetStatusCode(fasthttp.StatusNoContent)
	case !h.admit.enter():
		h.refuse(ctx, overloaded)
	default:
		defer h.admit.leave()
		h.take(ctx, c)
	}
}

// take reads the body, cuts it into messages and stores them.
func (h *handler) take(ctx *fasthttp.RequestCtx, c *connection.Connection) {
	start := time.Now()
	b, refused := h.body(ctx)
	if refused != nil {
		h.refuse(ctx, refused)
		return
	}
	payload := h.payload()
	defer h.payloads.Put(payload)
	if err := payload.Parse(b.bytes, h.limits); err != nil {
		b.release()
		h.refuse(ctx, refusalOf(err))
		return
	}
	if err := h.store(payload, b, c); err != nil {
		h.log.Warn("a request was not stored", "connection", c.ID, "messages", payload.Received(), "error", err)
		h.refuse(ctx, notDurable)
		return
	}
	h.metrics.stored(payload, time.Since(start))
	accept(ctx, payload)
}

func refusalOf(err error) *refusal {
	var r *segment.Refusal
	if errors.As(err, &r) {
		return ofPayload(r)
	}
	return internalError
}

func (h *handler) payload() *segment.Payload {
	if p, ok := h.payloads.Get().(*segment.Payload); ok {
		return p
	}
	return new(segment.Payload)
}

// store writes accepted messages and dead letters and waits for the brokers. The records refer to the
// body, so it is theirs from here on.
func (h *handler) store(p *segment.Payload, b *body, c *connection.Connection) error {
	source := stream.Source{Workspace: c.WorkspaceID, Product: c.ProductID, Connection: c.ID, Provider: provider}
	n := p.Accepted + p.Invalid
	receivedAt := h.clock.reserve(n)
	out := h.producer.Begin(n, b.release)
	for i := range p.Messages {
		m := &p.Messages[i]
		switch {
		case m.Reason == segment.Accepted:
			out.Event(&source, receivedAt, m.Raw, p.Context)
		case m.Reason.Invalid():
			out.DeadLetter(&source, receivedAt, m.Raw, p.Context, m.Reason.Code(), m.Reason.Sentence(), "")
		default:
			continue
		}
		receivedAt++
	}
	start := time.Now()
	// Not the request's context: its sender may hang up, but what is under way is worth finishing.
	if err := out.Send(context.Background()); err != nil {
		return err
	}
	h.metrics.acknowledge.Observe(time.Since(start).Seconds())
	if p.Accepted > 0 {
		h.activity.Seen(c.ID, start)
	}
	return nil
}

// body reads and decompresses what was sent.
func (h *handler) body(ctx *fasthttp.RequestCtx) (*body, *refusal) {
	b := acquireBody(h.admit)
	if err := b.read(bodyStream(ctx), ctx.Request.Header.ContentLength(), h.config.MaxBodyBytes); err != nil {
		b.release()
		return nil, bodyRefusal(err)
	}
	h.metrics.bytes.Add(float64(len(b.bytes)))
	encoding, err := encodingOf(ctx.Request.Header.ContentEncoding())
	if err != nil {
		b.release()
		return nil, badEncoding
	}
	if encoding == "" {
		return b, nil
	}
	defer b.release()
	plain := acquireBody(h.admit)
	if err := decompress(encoding, b.bytes, plain, h.config.MaxBodyBytes); err != nil {
		plain.release()
		return nil, bodyRefusal(err)
	}
	return plain, nil
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
	switch {
	case errors.Is(err, errBodyTooLarge):
		return bodyTooLarge
	case errors.Is(err, errOverloaded):
		return overloaded
	case errors.Is(err, errNotDecodable):
		return notDecodable
	}
	return bodyTruncated
}

func (h *handler) refuse(ctx *fasthttp.RequestCtx, r *refusal) {
	h.metrics.refused(r)
	h.discard(ctx)
	r.write(ctx, h.retryAfter)
}

// discard reads what is left of a body, within reason: most senders look for an answer only when they
// have sent everything, and closing on them would take the answer away.
func (h *handler) discard(ctx *fasthttp.RequestCtx) {
	if r := ctx.RequestBodyStream(); r != nil {
		_, _ = io.CopyN(io.Discard, r, 2*int64(h.config.MaxBodyBytes)) // too long or broken: the server closes the connection
	}
}

func (h *handler) recover(ctx *fasthttp.RequestCtx) {
	if panicked := recover(); panicked != nil {
		h.metrics.panics.Inc()
		telemetry.BUG(h.log, "serving a request", panicked, debug.Stack())
		ctx.Response.Reset()
		ctx.SetConnectionClose()
		internalError.write(ctx, h.retryAfter)
	}
}
