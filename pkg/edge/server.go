package edge

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// newServer sets fasthttp up for strangers. What is not obvious:
//
//   - Bodies are streamed: the handler decides from the headers alone whether a body is wanted, and
//     reads it under its own limits (body.go). Otherwise the declared length is allocated before a byte
//     comes. The server waits for one byte all the same.
//   - Error texts of fasthttp hold bytes of the request, and so may hold a token: none is passed on.
func newServer(config *Config, h *handler) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:                      h.serve,
		ErrorHandler:                 h.httpError,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		MaxRequestBodySize:           1, // what the server itself reads of a body
		ExpectHandler:                h.expect,
		ReadBufferSize:               config.MaxHeaderBytes,
		Concurrency:                  config.MaxConnections,
		ReadTimeout:                  config.ReadTimeout,
		WriteTimeout:                 config.WriteTimeout,
		IdleTimeout:                  config.IdleTimeout,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		ConnState:                    func(c net.Conn, state fasthttp.ConnState) { beginRequest(c, state, config.ReadTimeout) },
		LazyRequestTime:              true,
		Logger:                       quiet{h.log},
	}
}

// beginRequest counts a request's time from its first byte. The server would count that of a connection's first one
// from when it was opened, and clients open some ahead of use.
func beginRequest(c net.Conn, state fasthttp.ConnState, timeout time.Duration) {
	who := callerOf(c)
	if state == fasthttp.StateIdle && who != nil && who.early.Load() {
		who.early.Store(false) // all of it was read after all
	}
	if state != fasthttp.StateActive {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(timeout)) // fails if the connection is closed, as reading then does
	if who != nil {
		who.spoke = true
	}
}

// httpError answers what never became a request.
func (h *handler) httpError(ctx *fasthttp.RequestCtx, err error) {
	if who := callerOf(ctx.Conn()); who != nil && !who.spoke {
		_ = ctx.Conn().Close() // a client takes what it is told there for the answer to its next request
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
		refusal = tooSlow
	}
	if refusal != tooSlow {
		answeredEarly(ctx.Conn())
	}
	h.metrics.refused(refusal)
	ctx.Response.Reset()
	ctx.SetConnectionClose()
	refusal.write(ctx, h.retryAfter)
}

// quiet drops the server's own messages but for the fact: they quote requests.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(string, ...any) { q.log.Debug("a connection was ended by an error") }
