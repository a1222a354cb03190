package attribution

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// storedEvents reads the events that the address 1@x.io affects.
func (r *testService) storedEvents(t *testing.T) (list []warehouse.StoredEvent) {
	address := warehouse.ExpectedUser{Name: identity.Name{Workspace: []byte("w"), Name: []byte("1@x.io")}}
	affected := warehouse.AffectedRows{Products: []string{"p"}, Addresses: []warehouse.ExpectedUser{address}}
	require.NoError(t, r.lookup.AffectedEvents(t.Context(), &affected, func(some []warehouse.StoredEvent) error {
		list = append(list, some...)
		return nil
	}))
	require.NotEmpty(t, list)
	return list
}

// claimedAt returns a row for claims: an event with an external id and the address 1@x.io.
func claimedAt(user string, at int) string {
	return fmt.Sprintf("('%s', '1@x.io', '%s', %d)", user, userID(user), at)
}

// A loader lost its partition without knowing. Its decision is based on older claims than the next owner has.
func TestService_UnconfirmedOwnership_DoesNotRevise(t *testing.T) {
	w := newWorld(t, 1)
	old := w.service(t)
	old.assign(t, 0)
	old.begin(t, 0, event("e", "", "1@x.io", 0)).store(t)
	w.claims(t, "1 MINUTE", claimedAt("u1", 10))
	old.settleOwnership(t, time.Now().Add(-time.Hour))
	require.NoError(t, old.pullChanges(t.Context()))
	list := old.storedEvents(t)
	old.host.confirm = func() error { return stream.ErrFenced }
	require.ErrorIs(t, old.reviseEvents(t.Context(), list), stream.ErrFenced)
	require.Equal(t, map[string]string{"e": "1@x.io -"}, w.attributed(t))
	old.host.confirm = func() error { return nil }
	require.NoError(t, old.reviseEvents(t.Context(), old.storedEvents(t)))
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t), "the control")
}

// A revision begins while its loader is the owner and takes long. It is written after the next owner revised the same
// rows. The next owner replays the changes when the revision has ended.
func TestService_PredecessorRevisesLate_IsCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	old, next := w.service(t), w.service(t)
	old.assign(t, 0)
	old.begin(t, 0, event("e", "", "1@x.io", 0)).store(t)
	w.claims(t, "1 MINUTE", claimedAt("u1", 10))
	old.settleOwnership(t, time.Now().Add(-time.Hour))
	require.NoError(t, old.pullChanges(t.Context()))
	finish := w.startQuery(t, "millrace-revision-")

	next.assign(t, 0)
	next.passes(t, visibilityDelay+pollInterval)
	next.begin(t, 0, identify("u2", "1@x.io", 0)).store(t)
	require.NoError(t, next.applyAll(t.Context()))
	require.Equal(t, map[string]string{"e": "u2 -"}, w.attributed(t))

	require.NoError(t, old.reviseEvents(t.Context(), next.storedEvents(t))) // the late revision
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t), "the control")
	finish()
	eventually(t, func() bool {
		next.passes(t, time.Second)
		a := next.Service
		return a.assignedAt.IsZero() && !a.pulledUntil.Before(a.replayUntil)
	}, "the changes are replayed")
	require.Equal(t, map[string]string{"e": "u2 -"}, w.attributed(t))
}

// startQuery runs a query with an id until finish is called. The prefix of the id marks it as a revision or an insert.
func (w *world) startQuery(t *testing.T, prefix string) (finish func()) {
	id, ended := prefix+w.db.Name, make(chan struct{})
	go func() {
		defer close(ended)
		slow := "SELECT sleepEachRow(1) FROM numbers(300) SETTINGS max_block_size = 1"
		response, err := http.Post(w.db.HTTPURL()+"/?query_id="+id, "text/plain", strings.NewReader(slow))
		if err == nil {
			response.Body.Close()
		}
	}()
	eventually(t, func() bool {
		return w.db.Exec(t, "SELECT count() FROM system.processes WHERE query_id = '"+id+"'") == "1"
	}, "the query runs")
	return func() {
		w.db.Exec(t, "KILL QUERY WHERE query_id = '"+id+"' SYNC")
		<-ended
	}
}
