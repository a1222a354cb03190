package console

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// testStore returns a store of connections in a log of its own.
func testStore(t *testing.T) (*connection.Store, *stream.Client) {
	t.Helper()
	config := stream.Config{Brokers: []string{env.Broker(t).Addr()}}
	require.NoError(t, kong.ApplyDefaults(&config))
	client, err := stream.NewClient(config, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	require.NoError(t, client.EnsureTopics(t.Context()))
	log := client.ConnectionsTopic()
	registry := connection.NewRegistry(log, connection.NewMetrics(nil))
	go registry.Run(t.Context())
	return connection.NewStore(connection.StoreConfig{
		Key: token.NewKey(), Log: log, Registry: registry,
		Cost: token.Cost{LogN: 1, R: 1, P: 1}, Settle: time.Nanosecond,
	}), client
}

func testConsole(t *testing.T) (*Console, *connection.Store) {
	t.Helper()
	store, client := testStore(t)
	c, err := New(t.Context(), Config{}, "127.0.0.1:0", Deps{
		Connections: store, Stream: client,
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	return c, store
}

// request sends a request to the console; a form makes it a POST.
func request(t *testing.T, c *Console, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	return w
}

// A reload of the page that shows a URL repeats neither the form nor the secret.
func TestCreateAndRotate_URLIsShownOnce(t *testing.T) {
	c, store := testConsole(t)
	made := request(t, c, Base+"/connections", url.Values{"product": {"shop"}})
	require.Equal(t, http.StatusSeeOther, made.Code)
	all, err := store.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	rotated := request(t, c, Base+"/connections/"+all[0].ID+"/rotate", url.Values{})
	require.Equal(t, http.StatusSeeOther, rotated.Code)
	for _, answer := range []*httptest.ResponseRecorder{made, rotated} {
		require.NotContains(t, answer.Body.String(), "/v1/segment/")
		page := answer.Header().Get("Location")
		require.Contains(t, request(t, c, page, nil).Body.String(), "/v1/segment/mr1_"+all[0].ID)
		again := request(t, c, page, nil)
		require.Equal(t, http.StatusGone, again.Code)
		require.NotContains(t, again.Body.String(), "/v1/segment/")
	}
	all, err = store.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1, "no second connection")
}

// A page has so many connections at most, and finds the others. Without an answer of ClickHouse's their counts are unknown.
func TestAPageOfConnectionsIsBounded(t *testing.T) {
	c, store := testConsole(t)
	var making errgroup.Group
	for n := range maxConnections + 2 {
		making.Go(func() error {
			_, err := store.Create(t.Context(), connection.CreateParams{ProductID: fmt.Sprintf("Product-%d", n), Name: "One"})
			return err
		})
	}
	require.NoError(t, making.Wait())
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
