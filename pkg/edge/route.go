package edge

import (
	"bytes"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/native"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/segment"
	"github.com/millrace/millrace/pkg/stream"
)

// endpoint is what there is at a path.
type endpoint struct {
	format       *payload.Format
	provider     string // of the records
	bearer       bool   // the token stands in the Authorization header, and else in the path
	unauthorized *refusal
	payloads     sync.Pool
}

// endpoints are all there are.
type endpoints struct{ webhook, events endpoint }

func newEndpoints() *endpoints {
	return &endpoints{
		webhook: endpoint{format: &segment.Format, provider: stream.ProviderSegment, unauthorized: unauthorized},
		events:  endpoint{format: &native.EventFormat, provider: stream.ProviderAPI, bearer: true, unauthorized: challenged},
	}
}

func (e *endpoints) formats() []*payload.Format {
	return []*payload.Format{e.webhook.format, e.events.format}
}

const eventsPath = "/v1/events"

var (
	segmentPrefix = []byte("/v1/segment/")
	bearerScheme  = []byte("Bearer")
)

// route finds the endpoint of a request's target as it was sent, nil if it is none's: nothing but
// /v1/events and /v1/segment/{token}, without a slash behind them. It returns the token if that stands in the
// path. The target is not decoded or cleaned up first: a token needs neither, and two spellings of one
// secret are one too many.
func (e *endpoints) route(target []byte) (at *endpoint, token []byte) {
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	if string(target) == eventsPath {
		return &e.events, nil
	}
	token, found := bytes.CutPrefix(target, segmentPrefix)
	if !found || len(token) == 0 || bytes.IndexByte(token, '/') >= 0 {
		return nil, nil
	}
	return &e.webhook, token
}

// bearerToken is the token of the Authorization header: nil, which is the token of nobody, if there is
// none, if it is of another scheme, and if there are several.
func bearerToken(h *fasthttp.RequestHeader) []byte {
	values := h.PeekAll(fasthttp.HeaderAuthorization)
	if len(values) != 1 {
		return nil
	}
	scheme, token, _ := bytes.Cut(values[0], []byte{' '})
	if !bytes.EqualFold(scheme, bearerScheme) {
		return nil
	}
	return bytes.Trim(token, " ")
}

// payload takes one from the pool, for the caller to put back.
func (e *endpoint) payload() *payload.Payload {
	if p, ok := e.payloads.Get().(*payload.Payload); ok {
		return p
	}
	return payload.New(e.format)
}
