package loader

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// Partitions that are a block or more behind are read in turns, as many at a time as blocks are inserted at once, each
// until a block of it has been read. Read all at once, each would have its part of what may be held, and the more partitions
// there were, the smaller the blocks: of 15,000 rows they cost ClickHouse half as much again as of 45,000 ("bareloader
// --block"). Those that are not behind are always read: for them it is the linger that counts.

// schedule is where a lane stands in that. The service's lock guards it.
type schedule struct {
	behind       bool
	waiting      bool
	waitingSince uint64        // of those that wait, the least has waited longest
	rows         int           // read in this turn,
	bytes        int64         // and their bytes
	fetched      bool          // by the last poll
	idle         time.Duration // polled for in vain
}

// maxIdle is how long a turn goes on in which nothing is read. The partition's broker may be away for long, and those of
// others are not.
const maxIdle = time.Second

// recordFetch notes what was read of a partition, and what is left.
func (t *schedule) recordFetch(left int64, rows int, bytes int64, config *Config) {
	t.behind = left >= int64(config.BlockRows)
	t.rows += rows
	t.bytes += bytes
	t.fetched = true
}

// recordPoll notes how long a poll took.
func (t *schedule) recordPoll(took time.Duration) {
	if t.idle += took; t.fetched {
		t.idle, t.fetched = 0, false
	}
}

func (t *schedule) isSpent(config *Config) bool {
	return t.rows >= config.BlockRows || t.bytes >= int64(config.BlockBytes) || t.idle >= maxIdle
}

// pollScheduled polls those whose turn it is. As long as others wait, it does not wait for long itself.
func (s *Service) pollScheduled(ctx context.Context) error {
	polling := ctx
	if s.reschedule() {
		var cancel context.CancelFunc
		polling, cancel = context.WithTimeout(ctx, maxIdle)
		defer cancel()
	}
	start := time.Now()
	err := s.consumer.Poll(polling, s.receive)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.workers {
		l.schedule.recordPoll(time.Since(start))
	}
	if ctx.Err() == nil && errors.Is(err, polling.Err()) {
		return nil // there was nothing for so long
	}
	return err
}

// reschedule has lanes read or wait, and tells whether any wait.
func (s *Service) reschedule() (some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reading, waiting []*partitionWorker
	for _, l := range s.workers {
		switch t := &l.schedule; {
		case !t.behind:
			*t = schedule{}
		case t.waiting:
			waiting = append(waiting, l)
		case t.isSpent(&s.config):
			s.suspend(l)
			waiting = append(waiting, l)
		case !l.isQueueFull(): // who has, may have it for long, and must not keep the others from reading
			reading = append(reading, l)
		}
	}
	slices.SortFunc(reading, func(a, b *partitionWorker) int { return cmp.Compare(b.schedule.rows, a.schedule.rows) })
	slices.SortFunc(waiting, func(a, b *partitionWorker) int { return cmp.Compare(a.schedule.waitingSince, b.schedule.waitingSince) })
	most := s.config.Warehouse.Inserts
	for _, l := range reading[min(most, len(reading)):] {
		s.suspend(l)
	}
	for _, l := range waiting[:min(max(most-len(reading), 0), len(waiting))] {
		l.schedule = schedule{behind: true}
	}
	for _, l := range s.workers {
		l.setPaused(l.schedule)
		some = some || l.schedule.waiting
	}
	return some
}

// suspend ends a lane's turn.
func (s *Service) suspend(l *partitionWorker) {
	s.suspensions++
	l.schedule.waiting, l.schedule.waitingSince = true, s.suspensions
}

// maxLingers is how many times as long a block may take to be filled where there is more to fill it with.
const maxLingers = 10

// patient tells whether a block that has lingered goes on being filled. It is part of a backlog, so sooner does not
// matter, and larger does.
func (f *batcher) patient() bool {
	l := f.lane
	return l.behind.Load() && (l.waiting.Load() || f.lingered < maxLingers)
}
