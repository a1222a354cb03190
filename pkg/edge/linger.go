package edge

import (
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// An answer can precede the end of its request: the body is too large, or the sender did not wait for "100 Continue".
// Closing a connection that is still sending resets it, and the sender loses the answer. So the edge reads on, within
// these limits, while the sender makes progress.
const (
	drainBytes  = 64 << 20        // bytes read and discarded at most
	drainStep   = 16 << 10        // bytes that must arrive
	bodyPause   = time.Second     // within this time, before the answer is sent
	lingerPause = 2 * time.Second // within this time, after the answer is sent
	lingerTime  = 10 * time.Second
)

// discardBody reads the rest of an unwanted body, for timeout at most: most senders look for an answer only after they
// have sent everything. A sender that pauses gets the answer right away.
func discardBody(ctx *fasthttp.RequestCtx, timeout time.Duration) {
	markAnsweredEarly(ctx.Conn()) // if the connection ends here, its end waits for the rest
	if r := ctx.RequestBodyStream(); r != nil {
		discard(r, ctx.SetReadDeadline, bodyPause, timeout)
	}
}

// linger ends a connection so that the sender reads the last answer: it closes the write side and discards what still
// arrives until the sender closes its side.
func linger(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil {
		discard(c, c.SetReadDeadline, lingerPause, lingerTime)
	}
}

// discard reads r until its end, an error, drainBytes, timeout, or a pause in which less than drainStep arrives.
func discard(r io.Reader, setDeadline func(time.Time) error, pause, timeout time.Duration) {
	end := time.Now().Add(timeout)
	for range drainBytes / drainStep {
		deadline := time.Now().Add(pause)
		if deadline.After(end) {
			deadline = end
		}
		if setDeadline(deadline) != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, r, drainStep); err != nil {
			return
		}
	}
}
