package edge

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
)

// What a request came to is counted for its connection, also if nothing of it was accepted. An edge that ends
// writes what it has; another one, or an admin tool, reads it.
func TestCountsOfConnections(t *testing.T) {
	t.Parallel()
	const identify = `{"type":"identify","userId":"u"}`
	r, broker := start(t)
	ignored, mixed, paused := r.create(connection.CreateParams{}), r.create(connection.CreateParams{}), r.paused(connection.CreateParams{})
	requireAnswer(t, r.post(ignored.path(), identify), 200, accepted(1, 0, 1))
	requireAnswer(t, r.post(ignored.path(), "["+identify+`,{"type":"group"}]`), 200, accepted(2, 0, 2))
	requireAnswer(t, r.post(ignored.path(), "[]"), 200, accepted(0, 0, 0))
	requireAnswer(t, r.post(mixed.path(), "["+track+","+identify+`,{"type":"track"},`+track+"]"), 200, listing(accepted(4, 2, 2), 2, "missing_event"))
	requireAnswer(t, r.post(mixed.path(), track), 200, accepted(1, 1, 0))
	require.Equal(t, 400, r.post(mixed.path(), `{"type":"track"}`).status)
	requireAnswer(t, r.post(paused.path(), track), 204, "")
	require.NoError(t, r.end())

	other := startOn(t, broker.Addr(), nil)
	other.awaitReady()
	all, err := other.store.List(context.Background())
	require.NoError(t, err)
	require.Len(t, all, 3)
	totals, status := map[string]connection.Counts{}, map[string]connection.Status{}
	for i := range all {
		totals[all[i].ID], status[all[i].ID] = all[i].Totals, all[i].Status
	}
	require.Equal(t, map[string]connection.Counts{
		ignored.ID: {Ignored: 3}, mixed.ID: {Accepted: 3, Ignored: 1, Dead: 1}, paused.ID: {Paused: 1},
	}, totals)
	require.Equal(t, map[string]connection.Status{
		ignored.ID: connection.StatusWaiting, mixed.ID: connection.StatusActive, paused.ID: connection.StatusPaused,
	}, status)
}
