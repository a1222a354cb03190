package loader

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// join makes a prepared loader a member of the group, in which nobody works news in but the test, and nobody preloads.
func (r *running) join(t *testing.T) {
	close(r.attributor.preloaded)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.err = r.load(ctx)
	}()
	t.Cleanup(func() { cancel(); <-r.done })
	eventually(t, func() bool { return r.joined.Load() }, "joined")
}

// stale are the stored events as a loader read them.
func (r *running) stale(t *testing.T) (list []warehouse.Stored) {
	affected := warehouse.Affected{Products: []string{"p"}, Addresses: []warehouse.Expected{{Name: identity.Name{Workspace: []byte("w"), Name: []byte("1@x.io")}}}}
	require.NoError(t, r.attributor.lookup.Events(t.Context(), &affected, func(some []warehouse.Stored) error {
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

// A loader that the group has given up on does not know it before it asks. What it is about to revise is the next
// owner's, who may know more and find nothing to revise.
func TestALoaderThatHasLostItsPartitionRevisesNothing(t *testing.T) {
	w := newWorld(t, 1)
	old := w.prepare(t)
	old.join(t)
	w.say(t, happened("e", "", "1@x.io", 0))
	w.caughtUp(t)
	w.claims(t, "1 MINUTE", claimedAt("u1", 10))
	old.forLong(t, time.Now().Add(-time.Hour))
	require.NoError(t, old.attributor.hear(t.Context()))
	list := old.stale(t) // and from here on it sleeps

	groups, err := w.admin.DescribeGroups(t.Context(), w.config.Consumer.Group)
	require.NoError(t, err)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = w.config.Consumer.Group
	for _, member := range groups[w.config.Consumer.Group].Members {
		leave.MemberID = member.MemberID
		leave.Members = append(leave.Members, kmsg.LeaveGroupRequestMember{MemberID: member.MemberID})
	}
	_, err = leave.RequestWith(t.Context(), w.kafka)
	require.NoError(t, err)

	require.ErrorIs(t, old.attributor.reviseEvents(t.Context(), list), stream.ErrFenced)
	require.Equal(t, map[string]string{"e": "1@x.io -"}, w.attributed(t))
	eventually(t, func() bool { <-old.done; return true }, "the membership ends")
	require.ErrorIs(t, old.err, stream.ErrFenced)
}

// One that was the owner when it asked, and whose revision is under way for long: it comes after the next owner has
// looked at all that it found written.
func TestTheNextOwnerGoesBackForWhatTheLastRevisedLate(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	w := newWorld(t, 1)
	old, next := w.still(t), w.still(t)
	old.assign(t, w.ingest(0))
	w.board(t, old, happened("e", "", "1@x.io", 0)).land(t)
	w.claims(t, "1 MINUTE", claimedAt("u1", 10))
	old.forLong(t, time.Now().Add(-time.Hour))
	require.NoError(t, old.attributor.hear(t.Context()))
	arrive := w.revising(t, "")

	next.assign(t, w.ingest(0))
	next.passes(t, settling+pollInterval)
	w.board(t, next, identify("u2", "1@x.io", 0)).land(t)
	require.NoError(t, next.attributor.workOff(t.Context()))
	require.Equal(t, map[string]string{"e": "u2 -"}, w.attributed(t))

	require.NoError(t, old.attributor.reviseEvents(t.Context(), next.stale(t))) // as if they had been revised at once
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t), "the control")
	arrive()
	eventually(t, func() bool {
		next.passes(t, time.Second)
		a := next.attributor
		return a.taken.IsZero() && !a.learntTo.Before(a.caughtUp)
	}, "it has gone back")
	require.Equal(t, map[string]string{"e": "u2 -"}, w.attributed(t))
}

// passes works news in for some time.
func (r *running) passes(t *testing.T, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		require.NoError(t, r.attributor.workOff(t.Context()))
	}
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
