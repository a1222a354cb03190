package loader

import (
	"cmp"
	"slices"
	"time"
)

// Fair scheduling: partitions that are a block or more behind take turns, as many at a time as blocks may be inserted
// concurrently. A turn ends when a block's worth of records has been fetched. If all of them were fetched at the same
// time, each would get a share of the memory limit, and blocks would get smaller with every partition: blocks of 15,000
// rows cost ClickHouse half as much again as blocks of 45,000 ("bareloader --block"). Partitions that are not behind
// are always fetched: for them the linger decides when a block is inserted.

// schedule is the scheduling state of one partition. The reader's lock guards it.
type schedule struct {
	behind       bool          // at least a block of records is left in the log
	waiting      bool          // it is not fetched until its next turn
	waitingSince uint64        // position in the waiting order; the lowest has waited longest
	queueFull    bool          // its queue takes no more, for another reason than its turn
	rows         int           // records fetched in this turn
	bytes        int64         // and their bytes
	fetched      bool          // the last poll returned records
	idle         time.Duration // time polled without a record
}

// maxIdle is the time without a record after which a turn ends: the partition's broker may be unreachable.
const maxIdle = time.Second

// recordFetch adds rows records of so many bytes; left are those that remain in the log.
func (s *schedule) recordFetch(left int64, rows int, bytes int64, config *Config) {
	s.behind = left >= int64(config.BlockRows)
	s.rows += rows
	s.bytes += bytes
	s.fetched = true
}

// recordPoll adds the duration of a poll.
func (s *schedule) recordPoll(took time.Duration) {
	if s.idle += took; s.fetched {
		s.idle, s.fetched = 0, false
	}
}

func (s *schedule) isTurnOver(config *Config) bool {
	return s.rows >= config.BlockRows || s.bytes >= int64(config.BlockBytes) || s.idle >= maxIdle
}

// scheduler decides which partitions are fetched.
type scheduler struct {
	suspensions uint64 // so far
}

// update ends and begins turns. It returns whether a partition waits for its turn.
func (s *scheduler) update(partitions []*schedule, config *Config) (anyWaiting bool) {
	var active, waiting []*schedule
	for _, p := range partitions {
		switch {
		case !p.behind:
			*p = schedule{}
		case p.waiting:
			waiting = append(waiting, p)
		case p.isTurnOver(config):
			s.suspend(p)
			waiting = append(waiting, p)
		case !p.queueFull: // a full queue may stay full for long; it must not use a turn
			active = append(active, p)
		}
	}
	slices.SortFunc(active, func(a, b *schedule) int { return cmp.Compare(b.rows, a.rows) })
	slices.SortFunc(waiting, func(a, b *schedule) int { return cmp.Compare(a.waitingSince, b.waitingSince) })
	concurrent := config.Warehouse.Inserts
	for _, p := range active[min(concurrent, len(active)):] {
		s.suspend(p)
	}
	for _, p := range waiting[:min(max(concurrent-len(active), 0), len(waiting))] {
		*p = schedule{behind: true}
	}
	return slices.ContainsFunc(partitions, func(p *schedule) bool { return p.waiting })
}

// suspend ends a partition's turn.
func (s *scheduler) suspend(p *schedule) {
	s.suspensions++
	p.waiting, p.waitingSince = true, s.suspensions
}
