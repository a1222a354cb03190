package edge

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// newServer configures fasthttp for untrusted clients. Not obvious:
//
//   - Bodies are streamed: the handler decides from the headers whether it wants the body, and reads it within its own
//     limits (body.go). Otherwise fasthttp allocates the declared length before a byte arrives. It still waits for one
//     byte.
//   - fasthttp's error texts quote the request and may contain a token, so none is logged or sent.
func newServer(config *Config, h *handler) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:                      h.serve,
		ErrorHandler:                 h.httpError,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		MaxRequestBodySize:           1, // bytes that the server itself reads of a body
		ExpectHandler:                h.expect,
		ReadBufferSize:               config.MaxHeaderBytes,
		Concurrency:                  config.MaxConnections,
		ReadTimeout:                  config.ReadTimeout,
		WriteTimeout:                 config.WriteTimeout,
		IdleTimeout:                  config.IdleTimeout,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		ConnState: func(c net.Conn, state fasthttp.ConnState) {
			beginRequest(c, state, config.ReadTimeout)
		},
		LazyRequestTime: true,
		Logger:          quietLogger{h.log},
	}
}

// beginRequest starts the read time-out at a request's first byte. fasthttp would start that of a connection's first
// request when the connection opens, and clients open connections ahead of use.
func beginRequest(c net.Conn, state fasthttp.ConnState, timeout time.Duration) {
	client := clientConnOf(c)
	if state == fasthttp.StateIdle && client != nil && client.answeredEarly.Load() {
		client.answeredEarly.Store(false) // the whole request was read
	}
	if state != fasthttp.StateActive {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(timeout)) // on a closed connection the next Read fails too
	if client != nil {
		client.requestBegun = true
	}
}

// httpError answers input that is not an HTTP request.
func (h *handler) httpError(ctx *fasthttp.RequestCtx, err error) {
	if client := clientConnOf(ctx.Conn()); client != nil && !client.requestBegun {
		_ = ctx.Conn().Close() // a client would take an answer for that of its next request
		return
	}
	h.metrics.httpErrors.Inc()
	refusal := badRequest
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		refusal = headerTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		refusal = bodyTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		refusal = requestTimeout
	}
	if refusal != requestTimeout {
		markAnsweredEarly(ctx.Conn())
	}
	h.metrics.refused(refusal)
	ctx.Response.Reset()
	ctx.SetConnectionClose()
	refusal.write(ctx, h.retryAfter)
}

// quietLogger drops the texts of fasthttp's messages, because they quote requests.
type quietLogger struct{ log *slog.Logger }

func (q quietLogger) Printf(string, ...any) { q.log.Debug("connection ended by an error") }
