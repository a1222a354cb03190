package loader

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/stream"
)

// join makes a prepared loader a member of the group, without the background work of attribution.
func (r *running) join(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.err = r.load(ctx)
	}()
	t.Cleanup(func() { cancel(); <-r.done })
	eventually(t, func() bool { return r.joined.Load() }, "joined")
}

// A loader does not learn from the group that it was removed, unless it asks. So attribution asks before each revision.
func TestAttributionHost_MemberWasRemoved_IsFenced(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.prepare(t)
	host, mine := attributionHost{loader.shared}, []stream.Partition{w.ingest(0)}
	require.ErrorIs(t, host.Confirm(t.Context(), mine), attribution.ErrNoMember)
	loader.join(t)
	require.NoError(t, host.Confirm(t.Context(), mine), "the control")

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

	require.ErrorIs(t, host.Confirm(t.Context(), mine), stream.ErrFenced)
	eventually(t, func() bool { <-loader.done; return true }, "the membership ends")
	require.ErrorIs(t, loader.err, stream.ErrFenced)
}
