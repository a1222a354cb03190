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

// endpoint is one path of the API.
type endpoint struct {
	pattern      string // path template, for traces
	format       *payload.Format
	kind         stream.Kind // of the records
	provider     string      // of the records
	bearer       bool        // the token is in the Authorization header, else in the path
	unauthorized *refusal
	payloads     sync.Pool
}

// endpoints are all endpoints of the edge.
type endpoints struct{ webhook, events, identify, conversations endpoint }

func newEndpoints() *endpoints {
	endpointOf := func(path string, kind stream.Kind, format *payload.Format) endpoint {
		return endpoint{
			pattern:      path,
			format:       format,
			kind:         kind,
			provider:     stream.ProviderAPI,
			bearer:       true,
			unauthorized: unauthorizedBearer,
		}
	}
	return &endpoints{
		webhook: endpoint{
			pattern:      string(segmentPrefix) + "{token}",
			format:       &segment.Format,
			kind:         stream.KindEvent,
			provider:     stream.ProviderSegment,
			unauthorized: unauthorized,
		},
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

// route returns the endpoint of a request target, nil if there is none, and the token if it is in the path. The target
// is compared as sent, without decoding or normalization: a token needs neither, and a secret should have one
// spelling.
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

// bearerToken returns the token of the Authorization header. It returns nil, which matches no connection, if the header
// is missing, repeated, or of another scheme.
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

// payload takes a payload from the pool. The caller puts it back.
func (e *endpoint) payload() *payload.Payload {
	if p, ok := e.payloads.Get().(*payload.Payload); ok {
		return p
	}
	return payload.New(e.format)
}
