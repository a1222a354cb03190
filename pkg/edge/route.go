package edge

import (
	"bytes"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/segment"
	"github.com/millrace/millrace/pkg/stream"
)

// endpoint is what there is at a path.
type endpoint struct {
	pattern      string // what its path is like, for traces
	format       *payload.Format
	kind         stream.Kind // of the records
	provider     string      // of the records
	bearer       bool        // the token stands in the Authorization header, and else in the path
	unauthorized *refusal
	payloads     sync.Pool
}

// endpoints are all there are.
type endpoints struct{ webhook, events, identify, conversations endpoint }

func newEndpoints() *endpoints {
	endpointOf := func(path string, kind stream.Kind, format *payload.Format) endpoint {
		return endpoint{pattern: path, format: format, kind: kind, provider: stream.ProviderAPI, bearer: true, unauthorized: challenged}
	}
	return &endpoints{
		webhook:       endpoint{pattern: string(segmentPrefix) + "{token}", format: &segment.Format, kind: stream.KindEvent, provider: stream.ProviderSegment, unauthorized: unauthorized},
		events:        endpointOf(eventsPath, stream.KindEvent, &api.EventFormat),
		identify:      endpointOf(identifyPath, stream.KindIdentify, &api.IdentifyFormat),
		conversations: endpointOf(conversationsPath, stream.KindConversation, &api.ActivityFormat),
	}
}

func (e *endpoints) formats() []*payload.Format {
	return []*payload.Format{e.webhook.format, e.events.format, e.identify.format, e.conversations.format}
}

const (
	eventsPath        = "/v1/events"
	identifyPath      = "/v1/identify"
	conversationsPath = "/v1/conversations"
)

var (
	segmentPrefix = []byte("/v1/segment/")
	bearerScheme  = []byte("Bearer")
)

// route finds the endpoint of a request's target as it was sent, nil if it is none's: nothing but
// the paths of our own API and /v1/segment/{token}, without a slash behind them. It returns the token if that
// stands in the path. The target is not decoded or cleaned up first: a token needs neither, and two spellings
// of one secret are one too many.
func (e *endpoints) route(target []byte) (at *endpoint, token []byte) {
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	switch string(target) {
	case eventsPath:
		return &e.events, nil
	case identifyPath:
		return &e.identify, nil
	case conversationsPath:
		return &e.conversations, nil
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
