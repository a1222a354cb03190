package edge

import (
	"net"
	"time"
)

// deadlineSlack is the largest delay of a time-out beyond the requested time.
const deadlineSlack = 250 * time.Millisecond

// lazyConn sets a deadline of the inner connection when it is about to wait, and only if the deadline that is set
// differs by more than deadlineSlack. The server sets three deadlines per request, and a small request that arrives in
// one piece needs none: they took 4 % of the edge's processor time for single messages.
//
// Deadlines belong to the goroutine that reads and writes. To interrupt a waiting Read, close the connection.
type lazyConn struct {
	net.Conn
	read, write deadline
}

type deadline struct{ wanted, armed time.Time }

// mustArm reports whether the armed deadline must change, and records the new one.
func (d *deadline) mustArm() bool {
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

// SetReadDeadline applies to Reads that start later.
func (c *lazyConn) SetReadDeadline(t time.Time) error {
	c.read.wanted = t
	return nil
}

// SetWriteDeadline applies to Writes that start later.
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
	if c.read.mustArm() {
		if err := c.Conn.SetReadDeadline(c.read.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *lazyConn) Write(b []byte) (int, error) {
	if c.write.mustArm() {
		if err := c.Conn.SetWriteDeadline(c.write.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}
