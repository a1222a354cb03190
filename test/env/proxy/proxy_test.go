package proxy

import (
	"bufio"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo is a server that answers every line with itself and counts them.
type echo struct {
	addr  string
	lines atomic.Int64
}

func startEcho(t *testing.T) *echo {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	e := &echo{addr: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					e.lines.Add(1)
					_, _ = conn.Write(append(lines.Bytes(), '\n'))
				}
			}()
		}
	}()
	return e
}

func dial(t *testing.T, l *Link) net.Conn {
	conn, err := net.Dial("tcp", l.Addrs()[0])
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// heard sends a line and returns whether it came back within the time.
func heard(t *testing.T, conn net.Conn, within time.Duration) bool {
	_, err := conn.Write([]byte("hello\n"))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(within)))
	answer := make([]byte, 6)
	n, _ := conn.Read(answer)
	return string(answer[:n]) == "hello\n"
}

const (
	patience   = 10 * time.Second
	impatience = 200 * time.Millisecond
)

func TestLink_CutHealedAndDelayed(t *testing.T) {
	server := startEcho(t)
	link, err := New(server.addr)
	require.NoError(t, err)
	t.Cleanup(link.Close)

	conn := dial(t, link)
	require.True(t, heard(t, conn, patience))
	link.Cut()
	require.False(t, heard(t, conn, impatience))
	require.False(t, heard(t, dial(t, link), impatience), "a new connection is taken and gets no answer")
	require.EqualValues(t, 1, server.lines.Load(), "nothing gets through")
	link.Heal()
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err, "what was swallowed is gone, and so is the connection")
	conn = dial(t, link)
	require.True(t, heard(t, conn, patience))

	link.CutAnswers()
	require.False(t, heard(t, conn, impatience))
	require.EqualValues(t, 3, server.lines.Load(), "it is done, and nobody learns of it")
	link.Heal()

	conn = dial(t, link)
	link.Delay(impatience)
	begin := time.Now()
	require.True(t, heard(t, conn, patience))
	require.GreaterOrEqual(t, time.Since(begin), 2*impatience, "there and back")
	link.Heal()
	link.Reset()
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestLink_StoppedNode_Resets(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	link, err := New(listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(link.Close)
	require.NoError(t, listener.Close())
	conn, err := net.Dial("tcp", link.Addrs()[0])
	if err == nil { // or it was reset while it was being made
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	require.ErrorContains(t, err, "reset", "not an end in good order")
}
