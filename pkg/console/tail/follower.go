package tail

import (
	"context"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

const (
	// InitialRecords is the number of records before the end of each partition that a Follower starts with.
	InitialRecords = 50
	// MaxShown limits the messages of one Sample to what a person can read.
	MaxShown = 6
	// MaxShownInitially limits the messages of the initial Sample.
	MaxShownInitially = 20
	// maxRead limits the records read for one Sample; further records are skipped.
	maxRead = 500
	// initialPeriod is the time in which records still count as initial: each partition starts by itself.
	initialPeriod = time.Second
	// Interval is the minimum time between two Samples.
	Interval = 500 * time.Millisecond
)

// Follower reads the newest messages of one connection.
type Follower struct {
	tail        *stream.Tail
	connection  string
	filter      Filter
	reader      reader
	startedAt   time.Time
	initialDone bool
}

// Sample has the messages of one interval.
type Sample struct {
	Messages []Message // oldest first, MaxShown at most
	Matched  int       // messages read that match connection and filter
	Read     int       // records read, of all connections in the partitions
	Skipped  int64     // records skipped without reading
	Initial  bool      // messages from before the start
	Duration time.Duration
}

// Sampled reports whether matching messages may be missing.
func (s *Sample) Sampled() bool { return !s.Initial && (s.Skipped > 0 || s.Matched > len(s.Messages)) }

// Follow starts to follow a connection.
func Follow(
	ctx context.Context,
	client *stream.Client,
	connection, workspace, product string,
	salts int,
	filter Filter,
) (*Follower, error) {
	partitions, err := client.PartitionsOf(ctx, workspace, product, salts)
	if err != nil {
		return nil, err
	}
	tail, err := client.NewTail(stream.TailConfig{Partitions: partitions, Last: InitialRecords, MaxBehind: maxRead})
	if err != nil {
		return nil, err
	}
	return &Follower{
		tail:       tail,
		connection: connection,
		filter:     filter,
		reader:     newReader(),
		startedAt:  time.Now(),
	}, nil
}

// Close stops the Follower.
func (f *Follower) Close() { f.tail.Close() }

// Next returns the messages since the last call, after Interval at the earliest.
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
		s.Initial = true // the initial messages are returned without waiting
		f.initialDone = time.Since(f.startedAt) > initialPeriod
		break
	}
	if wait := Interval - s.Duration; s.Read >= maxRead && wait > 0 { // limits the cost of reading
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

// read appends the messages of look that match the filter.
func (f *Follower) read(look *stream.TailBatch, s *Sample, own []Message) []Message {
	s.Skipped += look.Skipped
	s.Read += len(look.Entries)
	for i := range look.Entries {
		t := &look.Entries[i]
		if string(t.Connection) != f.connection {
			continue
		}
		if f.initialDone && f.filter.empty() && len(own) >= maxMapped {
			s.Matched++ // it is counted, but will not be shown
			continue
		}
		if m := f.reader.read(t); f.filter.matches(&m) {
			s.Matched++
			own = append(own, m)
		}
	}
	return own
}

// maxMapped limits the messages mapped for one Sample.
const maxMapped = 4 * MaxShown

// pickEvenly picks n messages at even distances, including the last.
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
