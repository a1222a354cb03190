package edge

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/clientip"
)

func TestAddressLimit_CountsOpenConnections(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted []string
		refused bool
	}{{"stranger", nil, true}, {"trusted proxy", []string{"127.0.0.1"}, false}} {
		t.Run(c.name, func(t *testing.T) {
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			trusted, err := clientip.ParseProxies(c.trusted)
			require.NoError(t, err)
			limit := newAddressLimit(inner, 2, trusted)
			defer limit.Close()
			accepted := make(chan net.Conn, 10)
			go func() {
				for {
					conn, err := limit.Accept()
					if err != nil {
						return
					}
					accepted <- conn
				}
			}()
			dial := func() net.Conn {
				conn, err := net.Dial("tcp", inner.Addr().String())
				require.NoError(t, err)
				t.Cleanup(func() { conn.Close() })
				return conn
			}
			dial()
			first := <-accepted
			dial()
			<-accepted
			third := dial()
			if !c.refused {
				<-accepted
				return
			}
			require.NoError(t, third.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = third.Read(make([]byte, 1))
			require.Error(t, err, "it is closed")
			require.Equal(t, int64(1), limit.rejected.Load())
			require.NoError(t, first.Close())
			require.Error(t, first.Close(), "a place is given back once, however often it is closed")
			dial()
			<-accepted
		})
	}
}
