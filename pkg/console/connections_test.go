package console

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

// A page has so many connections at most, and finds the others. Without an answer of ClickHouse's their counts are unknown.
func TestAPageOfConnectionsIsBounded(t *testing.T) {
	config := stream.Config{Brokers: []string{env.Broker(t).Addr()}}
	require.NoError(t, kong.ApplyDefaults(&config))
	client, err := stream.NewClient(config, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.EnsureTopics(t.Context()))
	log := client.ConnectionsTopic()
	registry := connection.NewRegistry(log, connection.NewMetrics(nil))
	go registry.Run(t.Context())
	store := connection.NewStore(connection.StoreConfig{Key: token.NewKey(), Log: log, Registry: registry, Cost: token.Cost{LogN: 1, R: 1, P: 1}, Settle: time.Nanosecond})
	var making errgroup.Group
	for n := range maxConnections + 2 {
		making.Go(func() error {
			_, err := store.Create(t.Context(), connection.CreateParams{ProductID: fmt.Sprintf("Product-%d", n), Name: "One"})
			return err
		})
	}
	require.NoError(t, making.Wait())
	c, err := New(t.Context(), Config{}, "127.0.0.1:0", Deps{Connections: store, Stream: client, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)

	body, err := c.list(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, body.Connections, maxConnections)
	require.Equal(t, 2, body.More)
	require.NotEmpty(t, body.ClickHouseError)
	require.Nil(t, body.Connections[0].Traffic.LastMinute)
	cells, err := c.cells(t.Context(), "", "")
	require.NoError(t, err)
	require.Len(t, cells, 5*maxConnections)

	body, err = c.list(t.Context(), "pRODUCT-201")
	require.NoError(t, err)
	require.Len(t, body.Connections, 1)
	require.Zero(t, body.More)
	id := body.Connections[0].ID
	cells, err = c.cells(t.Context(), "", id)
	require.NoError(t, err)
	require.Len(t, cells, 5)
	for element := range cells {
		require.True(t, strings.HasSuffix(element, id))
	}
	_, err = c.find(t.Context(), token.NewConnectionID())
	require.ErrorIs(t, err, connection.ErrNotFound)
}
