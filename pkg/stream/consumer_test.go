package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ledger is what all members of a group are told, in the order in which it happens.
type ledger struct {
	mu     sync.Mutex
	owners map[Partition]string
	broken []string
}

func (l *ledger) owned(by string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, owner := range l.owners {
		if owner == by {
			n++
		}
	}
	return n
}

// member is one consumer with a goroutine that polls it.
type member struct {
	*Consumer
	name   string
	ledger *ledger

	mu      sync.Mutex
	seen    map[Partition][]int64
	pollErr error
	busy    bool
	lost    int
	halt    func() // polls no more
	stop    func()
}

func (m *member) Assigned(partitions []Partition) {
	m.note(m.busy, "assigned during a poll")
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	for _, p := range partitions {
		if owner := m.ledger.owners[p]; owner != "" {
			m.ledger.broken = append(m.ledger.broken, fmt.Sprintf("%s was assigned to %s before %s had given it up", p, m.name, owner))
		}
		m.ledger.owners[p] = m.name
	}
}

func (m *member) Revoked(partitions []Partition, lost bool) {
	m.note(m.busy, "revoked during a poll")
	time.Sleep(20 * time.Millisecond) // a lane that finishes
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	for _, p := range partitions {
		delete(m.ledger.owners, p)
	}
	if lost {
		m.lost++
	}
}

func (m *member) note(wrong bool, what string) {
	if wrong {
		m.ledger.mu.Lock()
		m.ledger.broken = append(m.ledger.broken, what)
		m.ledger.mu.Unlock()
	}
}

func (m *member) take(b *Batch) {
	m.busy = true
	defer func() { m.busy = false }()
	m.mu.Lock()
	defer m.mu.Unlock()
	bytes := int64(0)
	for i := range b.Len() {
		var e Record
		b.Entry(i, &e)
		m.seen[b.Partition] = append(m.seen[b.Partition], e.Offset)
		bytes += b.Size(i)
	}
	if bytes != b.Bytes {
		m.note(true, "bytes do not add up")
	}
}

func (m *member) count(p Partition) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen[p])
}

func (m *member) total() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, offsets := range m.seen {
		n += len(offsets)
	}
	return n
}

func join(t *testing.T, c *Client, l *ledger, name string, change ...func(*ConsumerConfig)) *member {
	t.Helper()
	config := ConsumerConfig{}
	require.NoError(t, kong.ApplyDefaults(&config))
	config.SessionTimeout = minSessionTimeout
	for _, change := range change {
		change(&config)
	}
	m := &member{name: name, ledger: l, seen: map[Partition][]int64{}}
	own := clientFor(t, c.config) // a registry of metrics is for one consumer
	consumer, err := own.NewConsumer(config, m, c.Topics().Ingest)
	require.NoError(t, err)
	m.Consumer = consumer
	ctx, cancel := context.WithCancel(context.Background())
	var polling sync.WaitGroup
	polling.Go(func() {
		for ctx.Err() == nil {
			if err := consumer.Poll(ctx, m.take); err != nil && ctx.Err() == nil {
				m.mu.Lock()
				m.pollErr = err
				m.mu.Unlock()
			}
		}
	})
	m.halt = sync.OnceFunc(func() {
		cancel()
		polling.Wait()
	})
	m.stop = sync.OnceFunc(func() {
		m.halt()
		consumer.Close(context.Background())
	})
	t.Cleanup(m.stop)
	return m
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{owners: map[Partition]string{}}
	t.Cleanup(func() { require.Empty(t, l.broken) })
	return l
}

// produce writes n records to each of the partitions.
func produce(t *testing.T, c *Client, n int, partitions ...int32) {
	t.Helper()
	kafka := foreign(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for _, p := range partitions {
		for i := range n {
			records = append(records, &kgo.Record{Topic: c.Topics().Ingest, Partition: p, Key: []byte("k"), Value: fmt.Appendf(nil, "%d", i)})
		}
	}
	require.NoError(t, kafka.ProduceSync(t.Context(), records...).FirstErr())
}

func committed(t *testing.T, c *Client, p Partition) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(foreign(t, c)).FetchOffsets(t.Context(), "millrace-loader")
	require.NoError(t, err)
	if offset, ok := offsets.Lookup(p.Topic, p.ID); ok {
		return offset.At
	}
	return -1
}

func TestAGroupSharesAndHandsOver(t *testing.T) {
	_, c := started(t)
	l := newLedger(t)
	produce(t, c, 10, 0, 1, 2, 3)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return a.total() == 40 }, "all is read")
	for p := range int32(4) {
		require.Equal(t, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, a.seen[Partition{c.Topics().Ingest, p}], "in order")
		require.NoError(t, a.Commit(t.Context(), Partition{c.Topics().Ingest, p}, 10))
		require.Equal(t, int64(10), committed(t, c, Partition{c.Topics().Ingest, p}))
	}

	b := join(t, c, l, "b")
	eventually(t, func() bool { return l.owned("a") == 2 && l.owned("b") == 2 }, "the two share")
	produce(t, c, 10, 0, 1, 2, 3)
	eventually(t, func() bool { return a.total()+b.total() == 80 }, "both read")
	require.Equal(t, 20, b.total(), "what was committed is not read again")

	b.stop()
	eventually(t, func() bool { return l.owned("a") == 4 }, "a has all again")
	eventually(t, func() bool { return a.total() == 80 }, "what b had not committed is read again")
}

func TestOnlyTheOwnerCommits(t *testing.T) {
	_, c := started(t)
	l := newLedger(t)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return l.owned("a") == 4 }, "assigned")
	b := join(t, c, l, "b")
	eventually(t, func() bool { return l.owned("b") == 2 }, "shared")
	fenced := 0
	for id := range int32(4) {
		p := Partition{c.Topics().Ingest, id}
		var errA error
		eventually(t, func() bool { // a rebalance that still goes on refuses for a while
			errA = a.Commit(t.Context(), p, int64(id))
			return errA == nil || !errors.Is(errA, kerr.RebalanceInProgress)
		}, "settled")
		if errA != nil {
			require.ErrorIs(t, errA, ErrFenced)
			require.NoError(t, b.Commit(t.Context(), p, int64(id)))
			require.ErrorIs(t, a.ConfirmOwnership(t.Context(), []Partition{p}), ErrNotOwned)
			require.NoError(t, b.ConfirmOwnership(t.Context(), []Partition{p}))
			fenced++
		} else {
			require.NoError(t, a.ConfirmOwnership(t.Context(), []Partition{p}))
			require.ErrorIs(t, b.ConfirmOwnership(t.Context(), []Partition{p}), ErrNotOwned)
			require.ErrorIs(t, b.Commit(t.Context(), p, int64(id)), ErrFenced)
		}
	}
	require.Equal(t, 2, fenced)
	a.stop()
	require.ErrorIs(t, a.Commit(t.Context(), Partition{c.Topics().Ingest, 0}, 9), ErrFenced)
}

// A loader that slept has been given up by the group. It joins again under a new name, and the Kafka
// client would then commit for it what it did under the old one.
func TestAMemberThatWasKickedOutCannotCommit(t *testing.T) {
	_, c := started(t)
	l := newLedger(t)
	produce(t, c, 1, 0, 1, 2, 3)
	a := join(t, c, l, "a")
	eventually(t, func() bool { return a.total() == 4 }, "all is read")
	p := Partition{c.Topics().Ingest, 0}
	require.NoError(t, a.Commit(t.Context(), p, 1))
	require.NoError(t, a.ConfirmOwnership(t.Context(), []Partition{p}))

	before, _ := a.kafka.GroupMetadata()
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "millrace-loader", before
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: before}}
	_, err := leave.RequestWith(t.Context(), foreign(t, c))
	require.NoError(t, err)
	require.ErrorIs(t, a.ConfirmOwnership(t.Context(), []Partition{p}), ErrFenced)
	require.ErrorIs(t, a.Commit(t.Context(), p, 0), ErrFenced)
	admin := kadm.NewClient(foreign(t, c))
	eventually(t, func() bool {
		groups, err := admin.DescribeGroups(t.Context(), "millrace-loader")
		return err == nil && groups["millrace-loader"].State == "Stable" && len(groups["millrace-loader"].Members) == 1
	}, "stable")
	eventually(t, func() bool { after, _ := a.kafka.GroupMetadata(); return after != before && after != "" }, "joined again")
	require.Zero(t, a.lost, "the control: the Kafka client does not tell the owner, for it was given the same partitions again")
	require.ErrorIs(t, a.Commit(t.Context(), p, 0), ErrFenced)
	require.ErrorIs(t, a.ConfirmOwnership(t.Context(), []Partition{p}), ErrFenced)
	require.Equal(t, int64(1), committed(t, c, p))
}

func TestPauseAndResume(t *testing.T) {
	_, c := started(t)
	l := newLedger(t)
	a := join(t, c, l, "a")
	p, other := Partition{c.Topics().Ingest, 0}, Partition{c.Topics().Ingest, 1}
	eventually(t, func() bool { return l.owned("a") == 4 }, "assigned")
	a.Pause(p)
	produce(t, c, 5, 0, 1)
	eventually(t, func() bool { return a.count(other) == 5 }, "the others go on")
	produce(t, c, 5, 1)
	eventually(t, func() bool { return a.count(other) == 10 }, "the others go on")
	require.Zero(t, a.count(p))
	a.Resume(p)
	eventually(t, func() bool { return a.count(p) == 5 }, "it goes on where it was")
}

func TestConsumerConfigIsChecked(t *testing.T) {
	_, c := started(t)
	good := ConsumerConfig{Group: "g", SessionTimeout: minSessionTimeout, RebalanceTimeout: minSessionTimeout, FetchBytes: 1 << 20, FetchPartition: 1 << 20, ConcurrentFetches: 1}
	require.NoError(t, good.Validate())
	for want, spoil := range map[string]func(*ConsumerConfig){
		"--group":                 func(c *ConsumerConfig) { c.Group = "" },
		"--session-timeout":       func(c *ConsumerConfig) { c.SessionTimeout = time.Second },
		"--rebalance-timeout":     func(c *ConsumerConfig) { c.RebalanceTimeout = c.SessionTimeout - 1 },
		"--fetch-partition-bytes": func(c *ConsumerConfig) { c.FetchPartition = 1<<20 + 1 },
		"--concurrent-fetches":    func(c *ConsumerConfig) { c.ConcurrentFetches = 0 },
	} {
		config := good
		spoil(&config)
		_, err := c.NewConsumer(config, nil)
		require.ErrorContains(t, err, want)
	}
}
