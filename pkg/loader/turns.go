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

// turn is where a lane stands in that. The service's lock guards it.
type turn struct {
	behind bool
	waits  bool
	since  uint64        // of those that wait, the least has waited longest
	rows   int           // read in this turn,
	bytes  int64         // and their bytes
	fed    bool          // by the last poll
	silent time.Duration // polled for in vain
}

// turnSilence is how long a turn goes on in which nothing is read. The partition's broker may be away for long, and those of
// others are not.
const turnSilence = time.Second

// note notes what was read of a partition, and what is left.
func (t *turn) note(left int64, rows int, bytes int64, config *Config) {
	t.behind = left >= int64(config.BlockRows)
	t.rows += rows
	t.bytes += bytes
	t.fed = true
}

// polled notes how long a poll took.
func (t *turn) polled(took time.Duration) {
	if t.silent += took; t.fed {
		t.silent, t.fed = 0, false
	}
}

func (t *turn) over(config *Config) bool {
	return t.rows >= config.BlockRows || t.bytes >= int64(config.BlockBytes) || t.silent >= turnSilence
}

// pollInTurns polls those whose turn it is. As long as others wait, it does not wait for long itself.
func (s *Service) pollInTurns(ctx context.Context) error {
	polling := ctx
	if s.takeTurns() {
		var cancel context.CancelFunc
		polling, cancel = context.WithTimeout(ctx, turnSilence)
		defer cancel()
	}
	start := time.Now()
	err := s.consumer.Poll(polling, s.take)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		l.turn.polled(time.Since(start))
	}
	if ctx.Err() == nil && errors.Is(err, polling.Err()) {
		return nil // there was nothing for so long
	}
	return err
}

// takeTurns has lanes read or wait, and tells whether any wait.
func (s *Service) takeTurns() (some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reading, waiting []*lane
	for _, l := range s.lanes {
		switch t := &l.turn; {
		case !t.behind:
			*t = turn{}
		case t.waits:
			waiting = append(waiting, l)
		case t.over(&s.config):
			s.wait(l)
			waiting = append(waiting, l)
		case !l.hasEnough(): // who has, may have it for long, and must not keep the others from reading
			reading = append(reading, l)
		}
	}
	slices.SortFunc(reading, func(a, b *lane) int { return cmp.Compare(b.turn.rows, a.turn.rows) })
	slices.SortFunc(waiting, func(a, b *lane) int { return cmp.Compare(a.turn.since, b.turn.since) })
	most := s.config.Warehouse.Inserts
	for _, l := range reading[min(most, len(reading)):] {
		s.wait(l)
	}
	for _, l := range waiting[:min(max(most-len(reading), 0), len(waiting))] {
		l.turn = turn{behind: true}
	}
	for _, l := range s.lanes {
		l.obey(l.turn)
		some = some || l.turn.waits
	}
	return some
}

// wait ends a lane's turn.
func (s *Service) wait(l *lane) {
	s.turns++
	l.turn.waits, l.turn.since = true, s.turns
}

// patience is how many times as long a block may take to be filled where there is more to fill it with.
const patience = 10

// patient tells whether a block that has lingered goes on being filled. It is part of a backlog, so sooner does not
// matter, and larger does.
func (f *filling) patient() bool {
	l := f.lane
	return l.behind.Load() && (l.waits.Load() || f.lingered < patience)
}
