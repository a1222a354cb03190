package edge

import (
	"io"
	"net"
	"time"
)

// How long a connection is read from after an answer that came before all of its request, as far as the sender goes on.
// Nobody can know how much it still wants to send, so there are bounds: what a body over the limit or an eager sender's has
// at most in practice, and a time that a shutdown can wait for.
const (
	lingerBytes   = 64 << 20
	lingerStep    = 16 << 10        // how much has to come
	lingerSilence = 2 * time.Second // in this time
	lingerTime    = 10 * time.Second
)

// linger ends a connection so that what was said last is read. To close it on a sender that is still sending answers the
// rest with a reset: the sender's next write fails, and it does not look for the answer. So it is told that no more comes, and
// what it sends is thrown away until it has read that.
func linger(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	end := time.Now().Add(lingerTime)
	for range lingerBytes / lingerStep {
		deadline := time.Now().Add(lingerSilence)
		if deadline.After(end) {
			deadline = end
		}
		if c.SetReadDeadline(deadline) != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, c, lingerStep); err != nil {
			return // it has closed its side, or is too slow
		}
	}
}
