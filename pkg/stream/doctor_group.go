package stream

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/pkg/doctor"
)

const startLoader = "start a loader, or name the group that loaders have in --group"

// checkGroup looks at the loaders as the brokers know them.
func (c *Client) checkGroup(ctx context.Context, group string, r *doctor.Report) {
	check := "group " + group
	lags, err := c.admin.Lag(ctx, group)
	if err != nil {
		r.Fail(check, remedy(err), "%v", err)
		return
	}
	l := lags[group]
	if err := l.Error(); errors.Is(err, kerr.GroupIDNotFound) {
		r.Warn(check, startLoader, "has no loader, and never had one")
		return
	} else if err != nil {
		r.Fail(check, remedy(err), "%v", err)
		return
	}
	var waiting, lost int64
	for _, p := range l.Lag.Sorted() {
		waiting += max(p.Lag, 0)
		if p.Start.Err == nil && p.Commit.At >= 0 && p.Start.Offset > p.Commit.At {
			lost += p.Start.Offset - p.Commit.At
		}
	}
	if lost > 0 {
		r.Fail(check, "raise retention.ms and retention.bytes, and have loaders keep up: these messages are gone", "the brokers have deleted %s that no loader had loaded", doctor.Some(lost, "message"))
	}
	switch {
	case len(l.Members) == 0:
		r.Warn(check, startLoader, "has no loader, and %s", waits(waiting))
	case l.State != "Stable":
		r.Warn(check, "ask again in a moment; if it stays so, see the loaders' logs", "is sharing out partitions (%s), and %s", l.State, waits(waiting))
	default:
		r.OK(check, "%s, and %s", doctor.Some(len(l.Members), "loader"), waits(waiting))
	}
}

func waits(n int64) string {
	if n == 0 {
		return "no message waits"
	}
	return doctor.Some(n, "message") + " not loaded yet"
}
