package edge

import (
	"net"
	"time"
)

// deadlineSlack is how much later than asked for a time-out may come.
const deadlineSlack = 250 * time.Millisecond

// lazyConn arms a time-out when it is about to wait, and only where the one that is armed is not as good. The
// server sets three for each request, of which a small request that comes in one piece needs none: that took 4% of the
// edge's processor time at single messages.
//
// Its deadlines are for the goroutine that reads and writes: to interrupt a Read that waits, close the connection.
type lazyConn struct {
	net.Conn
	read, write deadline
}

type deadline struct{ wanted, armed time.Time }

// late tells whether what is armed must be changed, and makes a note that it is.
func (d *deadline) late() bool {
	switch {
	case d.wanted.IsZero() && d.armed.IsZero():
		return false
	case d.wanted.IsZero():
		d.armed = time.Time{}
		return true
	case !d.armed.Before(d.wanted) && d.armed.Sub(d.wanted) <= deadlineSlack:
		return false
	}
	d.armed = d.wanted.Add(deadlineSlack)
	return true
}

// SetReadDeadline is for Reads that begin later.
func (c *lazyConn) SetReadDeadline(t time.Time) error {
	c.read.wanted = t
	return nil
}

// SetWriteDeadline is for Writes that begin later.
func (c *lazyConn) SetWriteDeadline(t time.Time) error {
	c.write.wanted = t
	return nil
}

// SetDeadline sets both.
func (c *lazyConn) SetDeadline(t time.Time) error {
	c.read.wanted, c.write.wanted = t, t
	return nil
}

func (c *lazyConn) Read(b []byte) (int, error) {
	if c.read.late() {
		if err := c.Conn.SetReadDeadline(c.read.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *lazyConn) Write(b []byte) (int, error) {
	if c.write.late() {
		if err := c.Conn.SetWriteDeadline(c.write.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}
