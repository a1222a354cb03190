package edge

import (
	"errors"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/payload"
)

// refusal is an answer that is not 200. Its texts are constants or contain numbers only: an answer never echoes the
// request, because echoes end up in logs.
type refusal struct {
	status  int
	code    string
	message string
	index   int // of the message to blame; negative for none
}

var (
	notFound = &refusal{
		404,
		"not_found",
		"There is nothing at this path: post to /v1/segment/{token}, /v1/events, /v1/identify or /v1/conversations, without a trailing slash.",
		-1,
	}
	methodNotAllowed = &refusal{405, "method_not_allowed", "Use POST.", -1}
	unauthorized     = &refusal{
		401,
		"unauthorized",
		"The token or the x-greenflash-secret header is not valid: copy it again, or rotate it.",
		-1,
	}
	unauthorizedBearer  = &refusal{401, unauthorized.code, unauthorized.message, -1} // names the scheme
	registryUnavailable = &refusal{500, "registry_unavailable", "The connection cannot be looked up: retry.", -1}
	paused              = &refusal{status: 204} // the connection is paused or disconnected; no body
	overloaded          = &refusal{429, "overloaded", "The server is overloaded: retry later.", -1}
	bodyTooLarge        = &refusal{
		413,
		"body_too_large",
		"The body is over the limit: send fewer messages per request.",
		-1,
	}
	unsupportedEncoding = &refusal{
		415,
		"unsupported_encoding",
		"The Content-Encoding must be gzip, deflate, br, zstd or identity.",
		-1,
	}
	invalidEncoding = &refusal{400, "invalid_encoding", "The body does not match its Content-Encoding.", -1}
	bodyTruncated   = &refusal{400, "body_truncated", "The body ended before it was complete.", -1}
	notAcknowledged = &refusal{503, "not_acknowledged", "The messages could not be stored durably: retry.", -1}
	internalError   = &refusal{500, "internal_error", "An internal error occurred: retry.", -1}
	headerTooLarge  = &refusal{431, "headers_too_large", "The request line and headers are over the limit.", -1}
	requestTimeout  = &refusal{408, "request_timeout", "The request took too long to arrive.", -1}
	badRequest      = &refusal{400, "bad_request", "The request is not valid HTTP.", -1}
)

// parseRefusal maps an error of payload.Parse to an answer.
func parseRefusal(err error) *refusal {
	var r *payload.Refusal
	if errors.As(err, &r) {
		return payloadRefusal(r)
	}
	return internalError
}

func payloadRefusal(r *payload.Refusal) *refusal {
	status := fasthttp.StatusBadRequest
	if r.Code == payload.CodeTooManyMessages || r.Code == payload.CodeContextTooLarge {
		status = fasthttp.StatusRequestEntityTooLarge
	}
	return &refusal{status, r.Code, r.Message, r.Index}
}

func (r *refusal) retryable() bool {
	return r.status == fasthttp.StatusTooManyRequests || r.status == fasthttp.StatusServiceUnavailable
}

var contentTypeJSON = []byte("application/json")

// answerBytes is the size of the stack buffer for an answer. Only answers that state a limit or list errors are longer.
const answerBytes = 256

// write writes the refusal. retryAfter is in seconds.
func (r *refusal) write(ctx *fasthttp.RequestCtx, retryAfter string) {
	ctx.SetStatusCode(r.status)
	if r == paused {
		return
	}
	ctx.Response.Header.SetContentTypeBytes(contentTypeJSON)
	switch {
	case r == methodNotAllowed:
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
	case r == unauthorizedBearer:
		ctx.Response.Header.SetBytesV(fasthttp.HeaderWWWAuthenticate, bearerScheme)
	case r.retryable():
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
	}
	var buffer [answerBytes]byte
	b := append(buffer[:0], `{"error":{"code":"`...)
	b = append(b, r.code...)
	b = append(b, `","message":`...)
	b = strconv.AppendQuote(b, r.message) // texts are plain ASCII, for which Go's quoting equals JSON's
	if r.index >= 0 {
		b = append(b, `,"index":`...)
		b = strconv.AppendInt(b, int64(r.index), 10)
	}
	ctx.Response.SetBody(append(b, "}}"...)) // copies
}

// maxListedErrors bounds the broken messages that a 200 lists.
const maxListedErrors = 10

// stored is the answer 200: the counts of messages, and the first broken ones.
type stored struct {
	received, accepted, dropped int
	errors                      []payload.MessageError
}

func (s stored) write(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetContentTypeBytes(contentTypeJSON)
	var buffer [answerBytes]byte
	b := append(buffer[:0], `{"received":`...)
	b = strconv.AppendInt(b, int64(s.received), 10)
	b = append(b, `,"accepted":`...)
	b = strconv.AppendInt(b, int64(s.accepted), 10)
	b = append(b, `,"dropped":`...)
	b = strconv.AppendInt(b, int64(s.dropped), 10)
	for i, e := range s.errors {
		if i == 0 {
			b = append(b, `,"errors":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"index":`...)
		b = strconv.AppendInt(b, int64(e.Index), 10)
		b = append(b, `,"code":"`...)
		b = append(b, e.Code...)
		b = append(b, `"}`...)
	}
	if s.errors != nil {
		b = append(b, ']')
	}
	ctx.Response.SetBody(append(b, "}"...)) // copies
}
