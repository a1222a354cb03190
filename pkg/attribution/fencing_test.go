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

// stale are the stored events as a loader read them.
func (r *running) stale(t *testing.T) (list []warehouse.StoredEvent) {
	affected := warehouse.AffectedRows{Products: []string{"p"}, Addresses: []warehouse.ExpectedUser{{Name: identity.Name{Workspace: []byte("w"), Name: []byte("1@x.io")}}}}
	require.NoError(t, r.lookup.AffectedEvents(t.Context(), &affected, func(some []warehouse.StoredEvent) error {
		list = append(list, some...)
		return nil
	}))
	require.NotEmpty(t, list)
	return list
}

// claimedAt is a row for claims: an event that named an external id and the address.
func claimedAt(user string, at int) string {
	return fmt.Sprintf("('%s', '1@x.io', '%s', %d)", user, identity.UserID([]byte("w"), []byte(user)), at)
}

// A loader may have lost its partition without knowing. The rows that it is about to revise belong to the next owner,
// who may know more and find nothing to revise.
func TestService_UnconfirmedOwnership_DoesNotRevise(t *testing.T) {
	w := newWorld(t, 1)
	old := w.service(t)
	old.assign(t, 0)
	old.begin(t, 0, event("e", "", "1@x.io", 0)).store(t)
	w.claims(t, "1 MINUTE", claimedAt("u1", 10))
	old.forLong(t, time.Now().Add(-time.Hour))
	require.NoError(t, old.hear(t.Context()))
	list := old.stale(t)
	old.host.confirm = func() error { return stream.ErrFenced }
	require.ErrorIs(t, old.reviseEvents(t.Context(), list), stream.ErrFenced)
	require.Equal(t, map[string]string{"e": "1@x.io -"}, w.attributed(t))
	old.host.confirm = func() error { return nil }
	require.NoError(t, old.reviseEvents(t.Context(), old.stale(t)))
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t), "the control")
}

// One that was the owner when it asked, and whose revision is under way for long: it comes after the next owner has
// looked at all that it found written.
func TestTheNextOwnerGoesBackForWhatTheLastRevisedLate(t *testing.T) {

	t.Parallel()
	w := newWorld(t, 1)
	old, next := w.service(t), w.service(t)
	old.assign(t, 0)
	old.begin(t, 0, event("e", "", "1@x.io", 0)).store(t)
	w.claims(t, "1 MINUTE", claimedAt("u1", 10))
	old.forLong(t, time.Now().Add(-time.Hour))
	require.NoError(t, old.hear(t.Context()))
	arrive := w.revising(t, "")

	next.assign(t, 0)
	next.passes(t, settling+pollInterval)
	next.begin(t, 0, identify("u2", "1@x.io", 0)).store(t)
	require.NoError(t, next.workOff(t.Context()))
	require.Equal(t, map[string]string{"e": "u2 -"}, w.attributed(t))

	require.NoError(t, old.reviseEvents(t.Context(), next.stale(t))) // as if they had been revised at once
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t), "the control")
	arrive()
	eventually(t, func() bool {
		next.passes(t, time.Second)
		a := next.Service
		return a.taken.IsZero() && !a.learntTo.Before(a.caughtUp)
	}, "it has gone back")
	require.Equal(t, map[string]string{"e": "u2 -"}, w.attributed(t))
}

// revising makes ClickHouse take a revision for under way until it arrives.
func (w *world) revising(t *testing.T, what string) (arrive func()) {
	id, ended := "millrace-revision-"+what+w.db.Name, make(chan struct{})
	go func() {
		defer close(ended)
		slow := "SELECT sleepEachRow(1) FROM numbers(300) SETTINGS max_block_size = 1"
		if response, err := http.Post(w.db.HTTPURL()+"/?query_id="+id, "text/plain", strings.NewReader(slow)); err == nil {
			response.Body.Close()
		}
	}()
	eventually(t, func() bool {
		return w.db.Exec(t, "SELECT count() FROM system.processes WHERE query_id = '"+id+"'") == "1"
	}, "it is under way")
	return func() {
		w.db.Exec(t, "KILL QUERY WHERE query_id = '"+id+"' SYNC")
		<-ended
	}
}
