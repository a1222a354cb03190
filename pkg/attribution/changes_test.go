package attribution

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/warehouse"
)

// A batch with an activity is resolved before an identify is known, and written after the identify's changes are read.
// The revision waits for the batch.
func TestService_BatchInProgress_IsRevisedToo(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	slow := r.begin(t, 0, activity("c1", "", "1@x.io", 0))
	r.begin(t, 0, identify("u1", "1@x.io", 0), event("e", "u1", "", time.Minute)).store(t)
	passed := make(chan error)
	go func() { passed <- r.applyAll(t.Context()) }()
	time.Sleep(2 * time.Second) // longer than the pass needs to read activities, if it did not wait
	slow.store(t)
	require.NoError(t, <-passed)
	require.NoError(t, r.applyAll(t.Context()))
	require.Equal(t, userID("u1").String(), w.db.Exec(t, "SELECT user_id FROM conversation_activity FINAL"))
	require.Equal(t, map[string]string{"e": "u1 c1"}, w.attributed(t))
}

// A partition that is assigned during a round keeps its stored progress until the service has rewound for it.
func TestService_AssignedDuringPull_KeepsProgress(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	a, group := r.Service, w.config.Group
	before := time.Now().Add(-time.Hour).Truncate(time.Microsecond).UTC()
	require.NoError(t, a.lookup.SaveProgress(t.Context(), group, []int32{0}, before))
	require.NoError(t, a.pull(t.Context()))
	r.assign(t, 0) // between rewindAssigned and saveProgress
	require.NoError(t, a.saveProgress(t.Context()))
	progress, err := a.lookup.Progress(t.Context(), group)
	require.NoError(t, err)
	require.Equal(t, before, progress[0])
}

// The first round runs before a partition is assigned. After the assignment the service starts at the stored progress,
// not at the beginning.
func TestService_AssignedAfterFirstPull_StartsAtProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	r := w.service(t)
	a := r.Service
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, user_id, explicit_first, writer, written_at)
		SELECT 'w', toString(number), generateUUIDv4(), (1, 'identify'), 99, 
			now64(6) - INTERVAL 2 HOUR + toIntervalMillisecond(number) FROM numbers(60000)`)
	at := time.Now().Add(-time.Hour)
	require.NoError(t, a.lookup.SaveProgress(t.Context(), w.config.Group, []int32{0}, at))
	require.NoError(t, a.pull(t.Context()))
	r.assign(t, 0)
	start := at.Add(-w.config.WriteTimeout).Truncate(time.Microsecond)
	for !a.assignedAt.IsZero() || a.replayUntil.IsZero() {
		require.NoError(t, a.pull(t.Context()))
		require.False(t, a.pulledUntil.Before(start), "it is at %s", a.pulledUntil)
		time.Sleep(time.Second)
	}
	require.False(t, a.pulledUntil.Before(start), "it is at %s", a.pulledUntil)
}

// Many users claimed an address, each with an earlier time than the one before. The stored event belongs to the first
// of them and names only its external id.
func TestService_AddressChangesUsers_RevisesAllPreviousUsers(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	a := r.Service
	row := func(n int, at int) string {
		id := fmt.Sprintf("u%d", n)
		return fmt.Sprintf("('%s', '1@x.io', '%s', %d)", id, userID(id), at)
	}
	r.begin(t, 0, event("e", "u39", "", 0)).store(t)
	w.claims(t, "2 HOUR", row(39, 1000))
	r.settleOwnership(t, time.Now().Add(-3*time.Hour))
	require.NoError(t, a.applyAll(t.Context()))
	require.Equal(t, map[string]string{"e": "u39 -"}, w.attributed(t))
	var rows []string
	for n := range 20 {
		rows = append(rows, row(n, n))
	}
	w.claims(t, "1 HOUR", strings.Join(rows, ","))
	a.pulledUntil, a.pulledAt = time.Now().Add(-90*time.Minute), time.Time{}
	require.NoError(t, a.applyAll(t.Context()))
	require.Equal(t, map[string]string{"e": "- -"}, w.attributed(t))
}

// The look-back reads 15 minutes before each event, not all activities between the first and the last.
func TestConversationQuery_EventsFarApart_ReadsOnlyTheirWindows(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	var list []message
	for i := range 1000 {
		list = append(list, activity("c1", "u1", "", time.Duration(i)*time.Hour))
	}
	r.begin(t, 0, list...).store(t)
	q := newConversationQuery()
	u := warehouse.ProductUser{Product: "p", User: userID("u1")}
	for _, at := range []time.Duration{0, 999 * time.Hour} { // one late event and one on time
		q.addLookBack(u, noon.Add(at).UnixMilli())
	}
	found, err := q.run(t.Context(), r.lookup)
	require.NoError(t, err)
	require.Contains(t, slices.Collect(func(yield func(int64) bool) {
		for _, x := range found.activities[u] {
			if !yield(x.At) {
				return
			}
		}
	}), noon.Add(999*time.Hour).UnixMilli())
	require.LessOrEqual(t, len(found.activities[u]), 4)
}

// A queue that overflows is reread from ClickHouse. The reread begins WriteTimeout before the first change: a batch may
// need that long between the write of a claim and its change.
func TestService_QueueOverflows_RereadsChanges(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	a := r.Service
	r.begin(t, 0, event("e", "u1", "", 0)).store(t)
	r.settleOwnership(t, time.Now())
	w.claims(t, "30 SECOND", fmt.Sprintf("('u1', '1@x.io', '%s', 1000)", userID("u1")))
	n := &changes{reassigned: []entity{{"w", "u1", "1@x.io"}}}
	for len(n.reassigned) <= maxQueuedChanges {
		n.reassigned = append(n.reassigned, entity{"w", "other", ""})
	}
	a.enqueue(changeSet{"w": n})
	require.NotNil(t, a.queues["w"].reread)
	require.Empty(t, a.queues["w"].reassigned)
	require.NoError(t, a.applyAll(t.Context()))
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t))
}

// Each insert of claims is answered late. It is written once, counted as slow, and its changes are applied.
func TestService_SlowClaimInserts_MakeProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.warehouse.VisibilityDelay = time.Second
	w.warehouse.ClickHouse = slowInserts(t, w.db.Addr(), 400*time.Millisecond)
	r := w.service(t)
	r.assign(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r.begin(t, 0, event("e", "u1", "", 0)).store(t)
	identified := r.begin(t, 0, identify("u1", "", 0))
	require.NoError(t, identified.writeClaims(ctx))
	r.Complete(identified.Batch)
	require.NoError(t, r.applyAll(ctx))
	require.Equal(t, map[string]string{"e": "u1 -"}, w.attributed(t))
	parts := "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'user_claims'"
	require.Equal(t, "1", w.db.Exec(t, parts))
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "millrace_loader_slow_claim_inserts_total" {
			require.Equal(t, 1.0, family.Metric[0].GetCounter().GetValue())
		}
	}
}

// slowInserts forwards to ClickHouse, and delays each answer on a connection after an insert into user_claims begins.
func slowInserts(t *testing.T, to string, delay time.Duration) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			slow := &atomic.Bool{}
			go forward(client, server, func(b []byte) {
				switch {
				case bytes.Contains(b, []byte("INSERT INTO user_claims ")):
					slow.Store(true)
				case bytes.Contains(b, []byte("SELECT ")):
					slow.Store(false)
				}
			})
			go forward(server, client, func([]byte) {
				if slow.Load() {
					time.Sleep(delay)
				}
			})
		}
	}()
	return listener.Addr().String()
}

func forward(from, to net.Conn, before func([]byte)) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		before(b[:n])
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// A reread that fails is repeated from the same time.
func TestService_RereadFails_IsRepeated(t *testing.T) {
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	a := r.Service
	require.NoError(t, a.pull(t.Context()))
	from := a.pulledUntil
	a.queueOf("w").pushReread(&reread{since: time.Now(), from: from})
	w.db.Exec(t, "RENAME TABLE user_claims TO hidden")
	for range 3 {
		queues, _ := a.nextPass(time.Now().Add(time.Hour))
		require.Len(t, queues, 1)
		require.Error(t, a.runPass(t.Context(), queues))
		require.Equal(t, from, a.queues["w"].reread.from)
		require.Equal(t, from, a.progress())
	}
	w.db.Exec(t, "RENAME TABLE hidden TO user_claims")
	require.NoError(t, a.applyAll(t.Context()))
	require.Empty(t, a.queues)
}

// A reread takes several pages. Meanwhile a claim of a later page is written again and merged: its written_at moves
// past the start of the reread.
func TestService_ClaimMovesDuringReread_IsApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	r := w.service(t)
	r.assign(t, 0)
	r.begin(t, 0, event("e", "u1", "", 0), event("f", "u2", "", 0)).store(t)
	r.settleOwnership(t, time.Now())
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, user_id, explicit_first, writer, written_at)
		SELECT 'w', concat('a', toString(number)), generateUUIDv4(), (1, 'identify'), 99,
			now64(6) - INTERVAL 40 SECOND FROM numbers(25000)`)
	claim := fmt.Sprintf("('u1', '1@x.io', '%s', 1000), ('u2', '2@x.io', '%s', 1000)", userID("u1"), userID("u2"))
	w.claims(t, "30 SECOND", claim)
	reads := 0
	r.host.beforePass = func() {
		if reads++; reads == 2 { // the first page is applied
			w.claims(t, "0 SECOND", claim)
			w.db.Exec(t, "OPTIMIZE TABLE user_claims FINAL")
		}
	}
	r.queueOf("w").pushReread(&reread{since: time.Now(), from: time.Now()})
	require.NoError(t, r.runQueued(t.Context()))
	require.Greater(t, reads, 2, "the control: there were several pages")
	require.Equal(t, map[string]string{"e": "u1 -", "f": "u2 -"}, w.attributed(t))
}

// A claim was written before this loader was assigned a partition, and is written again and merged during the replay.
func TestService_OwnClaimMovesDuringReplay_IsApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	old, r := w.service(t), w.service(t)
	old.assign(t, 0)
	old.begin(t, 0, event("e", "u1", "", 0)).store(t)
	r.assign(t, 1)
	r.begin(t, 1, event("seen", "u2", "", 0)).store(t)
	r.settleOwnership(t, time.Now().Add(-time.Hour))
	r.begin(t, 1, identify("u1", "", 0)).store(t)
	require.NoError(t, r.applyAll(t.Context()))
	require.Equal(t, map[string]string{"e": "- -", "seen": "- -"}, w.attributed(t), "the control")
	r.assign(t, 0)
	require.NoError(t, r.applyAll(t.Context()))
	eventually(t, func() bool {
		require.NoError(t, r.applyAll(t.Context()))
		return r.assignedAt.IsZero()
	}, "no predecessor can revise")
	require.True(t, r.pulledUntil.Before(r.replayUntil), "the control: the replay has not ended")
	r.begin(t, 1, identify("u1", "", 0)).store(t)
	w.db.Exec(t, "OPTIMIZE TABLE user_claims FINAL")
	eventually(t, func() bool {
		require.NoError(t, r.applyAll(t.Context()))
		return !r.pulledUntil.Before(r.replayUntil)
	}, "the replay ends")
	require.Equal(t, map[string]string{"e": "u1 -", "seen": "- -"}, w.attributed(t))
}
