package edge

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/payload"
)

// refusal is an answer that is not 200. Its texts are constants or hold numbers only: nothing of a
// request comes back to its sender, for what is echoed ends up in logs.
type refusal struct {
	status  int
	code    string
	message string
	index   int // of the message to blame; none below 0
}

var (
	notFound       = &refusal{404, "not_found", "There is nothing at this path: post to /v1/segment/{token}, /v1/events, /v1/identify or /v1/conversations, without a slash at its end.", -1}
	notPost        = &refusal{405, "method_not_allowed", "Send it with POST.", -1}
	unauthorized   = &refusal{401, "unauthorized", "The token or the x-greenflash-secret header is not valid: copy it again, or rotate it.", -1}
	challenged     = &refusal{401, unauthorized.code, unauthorized.message, -1} // with the scheme that is asked for
	registryStale  = &refusal{500, "registry_unavailable", "The connection cannot be looked up right now: send it again.", -1}
	overloaded     = &refusal{429, "overloaded", "Too much is under way: send it again later.", -1}
	bodyTooLarge   = &refusal{413, "body_too_large", "The body is over the limit: send fewer messages at once.", -1}
	badEncoding    = &refusal{415, "unsupported_encoding", "The Content-Encoding must be gzip, deflate, br, zstd or identity.", -1}
	notDecodable   = &refusal{400, "invalid_encoding", "The body is not what its Content-Encoding says.", -1}
	bodyTruncated  = &refusal{400, "body_truncated", "The body ended before it was complete.", -1}
	notDurable     = &refusal{503, "not_acknowledged", "The messages could not be stored safely: send them again.", -1}
	internalError  = &refusal{500, "internal_error", "Something is broken here: send it again.", -1}
	headerTooLarge = &refusal{431, "headers_too_large", "The request line and headers are over the limit.", -1}
	tooSlow        = &refusal{408, "request_timeout", "The request took too long to arrive.", -1}
	badRequest     = &refusal{400, "bad_request", "This is not an HTTP request as it should be.", -1}
)

// ofPayload turns the refusal of a payload into an answer.
func ofPayload(r *payload.Refusal) *refusal {
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

// answerBytes is room for the answers but those that list a limit at length, so that they are put
// together without an allocation.
const answerBytes = 256

// write answers with the refusal. retryAfter is in seconds.
func (r *refusal) write(ctx *fasthttp.RequestCtx, retryAfter string) {
	ctx.SetStatusCode(r.status)
	ctx.Response.Header.SetContentTypeBytes(contentTypeJSON)
	if r == notPost {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
	}
	if r == challenged {
		ctx.Response.Header.SetBytesV(fasthttp.HeaderWWWAuthenticate, bearerScheme)
	}
	if r.retryable() {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
	}
	var room [answerBytes]byte
	b := append(room[:0], `{"error":{"code":"`...)
	b = append(b, r.code...)
	b = append(b, `","message":`...)
	b = strconv.AppendQuote(b, r.message) // texts are plain ASCII, so Go's quoting is JSON's
	if r.index >= 0 {
		b = append(b, `,"index":`...)
		b = strconv.AppendInt(b, int64(r.index), 10)
	}
	ctx.Response.SetBody(append(b, "}}"...)) // copies
}

// accept answers 200 with the counts.
func accept(ctx *fasthttp.RequestCtx, p *payload.Payload) {
	ctx.Response.Header.SetContentTypeBytes(contentTypeJSON)
	var room [answerBytes]byte
	b := append(room[:0], `{"received":`...)
	b = strconv.AppendInt(b, int64(p.Received()), 10)
	b = append(b, `,"accepted":`...)
	b = strconv.AppendInt(b, int64(p.Accepted), 10)
	b = append(b, `,"dropped":`...)
	b = strconv.AppendInt(b, int64(p.Ignored+p.Invalid), 10)
	ctx.Response.SetBody(append(b, "}"...)) // copies
}
