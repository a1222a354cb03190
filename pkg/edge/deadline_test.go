package edge

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// clockedConn notes what is armed, and how often.
type clockedConn struct {
	net.Conn
	read, write time.Time
	sets        int
}

func (c *clockedConn) SetReadDeadline(t time.Time) error { c.read, c.sets = t, c.sets+1; return nil }

func (c *clockedConn) SetWriteDeadline(t time.Time) error { c.write, c.sets = t, c.sets+1; return nil }
func (c *clockedConn) Read([]byte) (int, error)           { return 0, nil }
func (c *clockedConn) Write([]byte) (int, error)          { return 0, nil }

// requireArmed fails unless the deadline that is armed is the one that was set last, or a little later.
func requireArmed(t require.TestingT, wanted, armed time.Time) {
	require.Equal(t, wanted.IsZero(), armed.IsZero())
	require.False(t, armed.Before(wanted), "too soon by %s", wanted.Sub(armed))
	require.LessOrEqual(t, armed.Sub(wanted), deadlineSlack)
}

func TestDeadlines_HoldForReadsAndWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inner := &clockedConn{}
		c := lazyConn{Conn: inner}
		var read, write time.Time
		start := time.Now()
		at := rapid.Custom(func(t *rapid.T) time.Time {
			if rapid.IntRange(0, 5).Draw(t, "none") == 0 {
				return time.Time{}
			}
			return start.Add(time.Duration(rapid.IntRange(-1000, 3000).Draw(t, "ms")) * time.Millisecond)
		})
		t.Repeat(map[string]func(*rapid.T){
			"both":  func(t *rapid.T) { read = at.Draw(t, "at"); write = read; require.NoError(t, c.SetDeadline(read)) },
			"read":  func(t *rapid.T) { read = at.Draw(t, "at"); require.NoError(t, c.SetReadDeadline(read)) },
			"write": func(t *rapid.T) { write = at.Draw(t, "at"); require.NoError(t, c.SetWriteDeadline(write)) },
			"wait for bytes": func(t *rapid.T) {
				_, _ = c.Read(nil)
				requireArmed(t, read, inner.read)
			},
			"wait for room": func(t *rapid.T) {
				_, _ = c.Write(nil)
				requireArmed(t, write, inner.write)
			},
		})
	})
}

// A busy connection arms a time-out about as often as the slack lets it, not for each request.
func TestDeadlines_BusyConnection_AreSetRarely(t *testing.T) {
	inner := &clockedConn{}
	c := lazyConn{Conn: inner}
	now := time.Now()
	for range 1000 { // a request a millisecond, in one piece
		require.NoError(t, c.SetReadDeadline(now.Add(75*time.Second)))
		_, _ = c.Read(nil)
		require.NoError(t, c.SetReadDeadline(now.Add(30*time.Second)))
		require.NoError(t, c.SetWriteDeadline(now.Add(10*time.Second)))
		_, _ = c.Write(nil)
		now = now.Add(time.Millisecond)
	}
	require.LessOrEqual(t, inner.sets, 2*(1+int(time.Second/deadlineSlack)))
}
