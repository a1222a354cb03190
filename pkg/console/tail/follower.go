package tail

import (
	"context"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

const (
	// InitialRecords is how many records before the end of each partition are shown when somebody begins to watch.
	InitialRecords = 50
	// MaxShown bounds the messages of one Sample, and so what a person and a browser have to bear.
	MaxShown = 6
	// MaxShownInitially is how many of what was there before are shown to somebody who begins to watch.
	MaxShownInitially = 20
	// maxRead bounds the records that are read for one Sample; what is more is left out unread.
	maxRead = 500
	// initialPeriod is how long what comes may be of before: each partition begins with its own.
	initialPeriod = time.Second
	// Interval is the time between two Samples at least.
	Interval = 500 * time.Millisecond
)

// Follower follows one connection.
type Follower struct {
	tail        *stream.Tail
	connection  string
	filter      Filter
	reader      reader
	startedAt   time.Time
	initialDone bool
}

// Sample is what came in a moment.
type Sample struct {
	Messages []Message // the oldest first, ShownAtOnce at most
	Matched  int       // messages of the connection that pass the filter, among those that were read
	Read     int       // records that were read, of all connections that share the partitions
	Skipped  int64     // records that were not, because there were too many
	Initial  bool      // it is what was there before
	Duration time.Duration
}

// Sampled tells whether there was more than is shown.
func (s *Sample) Sampled() bool { return !s.Initial && (s.Skipped > 0 || s.Matched > len(s.Messages)) }

// Follow begins to watch a connection.
func Follow(ctx context.Context, client *stream.Client, connection, product string, salts int, filter Filter) (*Follower, error) {
	partitions, err := client.PartitionsOf(ctx, product, salts)
	if err != nil {
		return nil, err
	}
	tail, err := client.NewTail(stream.TailConfig{Partitions: partitions, Last: InitialRecords, MaxBehind: maxRead})
	if err != nil {
		return nil, err
	}
	return &Follower{tail: tail, connection: connection, filter: filter, reader: newReader(), startedAt: time.Now()}, nil
}

// Close ends the watch.
func (f *Follower) Close() { f.tail.Close() }

// Next is what has come since the last call, after Every at the earliest.
func (f *Follower) Next(ctx context.Context) (s Sample, err error) {
	began := time.Now()
	var own []Message
	for s.Duration < Interval && s.Read < maxRead {
		look, err := f.tail.Next(ctx, Interval-s.Duration, maxRead-s.Read)
		if err != nil {
			return s, err
		}
		own = f.read(&look, &s, own)
		s.Duration = time.Since(began)
		if f.initialDone || s.Read == 0 {
			continue
		}
		s.Initial = true // what was there before is shown at once
		f.initialDone = time.Since(f.startedAt) > initialPeriod
		break
	}
	if wait := Interval - s.Duration; s.Read >= maxRead && wait > 0 { // to read all the time is what looking must not cost
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
	s.Duration = time.Since(began)
	if s.Initial {
		s.Messages = own[max(0, len(own)-MaxShownInitially):]
		return s, nil
	}
	s.Messages = pickEvenly(own, MaxShown)
	return s, nil
}

// read adds what passes the filter. All of a look is in memory, but of the messages that will not be shown nothing is kept.
func (f *Follower) read(look *stream.TailBatch, s *Sample, own []Message) []Message {
	s.Skipped += look.Skipped
	s.Read += len(look.Entries)
	for i := range look.Entries {
		t := &look.Entries[i]
		if string(t.Connection) != f.connection {
			continue
		}
		if f.initialDone && f.filter.empty() && len(own) >= maxMapped {
			s.Matched++ // nobody will see it: it is counted only
			continue
		}
		if m := f.reader.read(t); f.filter.matches(&m) {
			s.Matched++
			own = append(own, m)
		}
	}
	return own
}

// maxMapped is how many messages are mapped of which some are shown.
const maxMapped = 4 * MaxShown

// pickEvenly picks n of all, as evenly as it goes, and the last among them.
func pickEvenly(all []Message, n int) []Message {
	if len(all) <= n {
		return all
	}
	picked := make([]Message, 0, n)
	for i := 1; i <= n; i++ {
		picked = append(picked, all[len(all)*i/n-1])
	}
	return picked
}
