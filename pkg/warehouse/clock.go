package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// VisibilityDelay is the age from which on all rows written before are visible to readers, apart from rows of inserts
// in progress: see Watermark. It covers the differences between the clocks of replicas.
const VisibilityDelay = 10 * time.Second

// VisibilityDelay returns the configured delay.
func (l *Lookup) VisibilityDelay() time.Duration {
	return cmp.Or(l.config.VisibilityDelay, VisibilityDelay)
}

// SafeTime returns a time by ClickHouse's clock that is VisibilityDelay ago. Of several shards it takes the clock that
// is behind: later writes have later times on every shard.
func (l *Lookup) SafeTime(ctx context.Context) (time.Time, error) {
	now, _, err := l.time(ctx, "toUnixTimestamp64Micro(now64(6))")
	return now.Add(-l.VisibilityDelay()), err
}

// Now returns a time by ClickHouse's clock that is not before any completed write: of several shards, that of the clock
// that is ahead.
func (l *Lookup) Now(ctx context.Context) (time.Time, error) {
	_, now, err := l.time(ctx, "toUnixTimestamp64Micro(now64(6))")
	return now, err
}

// Watermark returns a time by ClickHouse's clock before which all claims and activities are visible. It is SafeTime, or
// VisibilityDelay before the start of the oldest insert in progress: rows have times from the start of their insert on,
// and are visible at its end. So an insert may take any time.
func (l *Lookup) Watermark(ctx context.Context) (time.Time, error) {
	now, _, err := l.time(ctx, fmt.Sprintf(`least(toUnixTimestamp64Micro(now64(6)),
		(SELECT minOrNull(toUnixTimestamp64Micro(now64(6)) - toInt64(elapsed * 1e6)) FROM %s
		WHERE startsWith(query_id, '%s') OR startsWith(query_id, '%s')))`,
		l.processes(), activityRevisionPrefix, idempotentPrefix))
	return now.Add(-l.VisibilityDelay()), err
}

// time returns the least and the greatest value of an expression in Unix microseconds over all shards.
func (l *Lookup) time(ctx context.Context, expression string) (first, last time.Time, err error) {
	q := &query{
		what: "the time",
		sql:  "SELECT toInt64(ifNull(" + expression + ", toUnixTimestamp64Micro(now64(6)))) AS now",
	}
	now := result[proto.ColInt64](q, "now")
	times, err := collect(ctx, l, q, func(row int) int64 { return now.Row(row) })
	if err == nil {
		err = l.syncReplicas(ctx) // now, because all that was written before the time must be on this replica
	}
	if err != nil || len(times) == 0 {
		return first, last, err
	}
	return time.UnixMicro(slices.Min(times)).UTC(), time.UnixMicro(slices.Max(times)).UTC(), nil
}

// processes is the table of running queries: on all replicas, since another loader may use another one.
func (l *Lookup) processes() string {
	if l.config.Replicated {
		return "clusterAllReplicas('" + l.config.Cluster + "', system.processes)"
	}
	return "system.processes"
}

// Lease is the time, by ClickHouse's clock, until which a revision may begin.
type Lease time.Time

func (l *Lookup) leaseDuration() time.Duration { return l.VisibilityDelay() / 2 }

// AcquireLease starts a lease. The caller then confirms that it owns the rows, and revises them under the lease. A
// caller that was delayed after the confirmation cannot revise rows that it has lost meanwhile.
func (l *Lookup) AcquireLease(ctx context.Context) (Lease, error) {
	safe, err := l.SafeTime(ctx)
	return Lease(safe.Add(l.VisibilityDelay() + l.leaseDuration())), err
}

// LeaseMayBeActive reports whether a revision under a lease that was acquired before a time may still write: the lease
// has not expired, or a revision that began under it is in progress.
func (l *Lookup) LeaseMayBeActive(ctx context.Context, acquiredBefore time.Time) (bool, error) {
	end := acquiredBefore.Add(l.leaseDuration()).UnixMicro()
	q := &query{what: "revisions in progress", sql: fmt.Sprintf(`SELECT
		toUInt8(toUnixTimestamp64Micro(now64(6)) <= %[1]d OR count() > 0) AS active FROM %[3]s
		WHERE startsWith(query_id, '%[2]s') AND toUnixTimestamp64Micro(now64(6)) - elapsed * 1e6 <= %[1]d`,
		end, revisionPrefix, l.processes())}
	active := result[proto.ColUInt8](q, "active")
	shards, err := collect(ctx, l, q, func(row int) bool { return active.Row(row) != 0 })
	return slices.Contains(shards, true) || err != nil, err
}
