package env

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env/certs"
	"github.com/millrace/millrace/test/env/kafka"
)

// Authority makes certificates for one test.
func Authority(t testing.TB) *certs.Authority {
	t.Helper()
	a, err := certs.New(t.TempDir())
	require.NoError(t, err)
	return a
}

// Secured is a broker that is reached with TLS and a login only.
type Secured struct {
	Addr           string
	CA             string // file with the certificate of who signed the broker's
	User, Password string // good for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512
}

// SecuredBroker is Broker behind TLS and SASL.
func SecuredBroker(t testing.TB) Secured {
	t.Helper()
	if os.Getenv(kafka.JarsEnv) != "" {
		lendApache(t)
		return Secured{apache.cluster.Nodes[0].Secured, apache.cluster.CA(), kafka.User, kafka.Password}
	}
	a := Authority(t)
	config, err := a.ServerConfig()
	require.NoError(t, err)
	options := []kfake.Opt{kfake.TLS(config), kfake.EnableSASL()}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		options = append(options, kfake.Superuser(mechanism, kafka.User, kafka.Password))
	}
	broker, err := embedded.StartBroker(embedded.BrokerConfig{Options: options})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return Secured{broker.Addr(), a.File, kafka.User, kafka.Password}
}

// Front takes TLS in front of a server that has none, such as ClickHouse's engine in the form that tests have.
func Front(t testing.TB, a *certs.Authority, server string) (addr string) {
	t.Helper()
	config, err := a.ServerConfig()
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { join(client, server) })
		}
	})
	t.Cleanup(func() { listener.Close(); open.Wait() })
	return listener.Addr().String()
}

// join passes bytes on in both directions until one side ends.
func join(client net.Conn, server string) {
	defer client.Close()
	behind, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer behind.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, behind}, {behind, client}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // either end may hang up
			ended <- struct{}{}
		}()
	}
	<-ended
}
