package tail

import (
	"context"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

const (
	// Back is how many records before the end of each partition are shown when somebody begins to watch.
	Back = 50
	// ShownAtOnce bounds the messages of one Sample, and so what a person and a browser have to bear.
	ShownAtOnce = 6
	// ShownFirst is how many of what was there before are shown to somebody who begins to watch.
	ShownFirst = 20
	// readAtOnce bounds the records that are read for one Sample; what is more is left out unread.
	readAtOnce = 500
	// settling is how long what comes may be of before: each partition begins with its own.
	settling = time.Second
	// Every is the time between two Samples at least.
	Every = 500 * time.Millisecond
)

// Watch follows one connection.
type Watch struct {
	tail       *stream.Tail
	connection string
	filter     Filter
	reader     reader
	began      time.Time
	begun      bool
}

// Sample is what came in a moment.
type Sample struct {
	Messages []Message // the oldest first, ShownAtOnce at most
	Wanted   int       // messages of the connection that pass the filter, among those that were read
	Read     int       // records that were read, of all connections that share the partitions
	Left     int64     // records that were not, because there were too many
	First    bool      // it is what was there before
	Took     time.Duration
}

// Sampled tells whether there was more than is shown.
func (s *Sample) Sampled() bool { return !s.First && (s.Left > 0 || s.Wanted > len(s.Messages)) }

// Follow begins to watch a connection.
func Follow(ctx context.Context, client *stream.Client, connection, product string, salts int, filter Filter) (*Watch, error) {
	partitions, err := client.PartitionsOf(ctx, product, salts)
	if err != nil {
		return nil, err
	}
	tail, err := client.NewTail(stream.TailConfig{Partitions: partitions, Back: Back, Behind: readAtOnce})
	if err != nil {
		return nil, err
	}
	return &Watch{tail: tail, connection: connection, filter: filter, reader: newReader(), began: time.Now()}, nil
}

// Close ends the watch.
func (w *Watch) Close() { w.tail.Close() }

// Next is what has come since the last call, after Every at the earliest.
func (w *Watch) Next(ctx context.Context) (s Sample, err error) {
	began := time.Now()
	var own []Message
	for s.Took < Every && s.Read < readAtOnce {
		look, err := w.tail.Next(ctx, Every-s.Took, readAtOnce-s.Read)
		if err != nil {
			return s, err
		}
		own = w.read(&look, &s, own)
		s.Took = time.Since(began)
		if w.begun || s.Read == 0 {
			continue
		}
		s.First = true // what was there before is shown at once
		w.begun = time.Since(w.began) > settling
		break
	}
	if wait := Every - s.Took; s.Read >= readAtOnce && wait > 0 { // to read all the time is what looking must not cost
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
	s.Took = time.Since(began)
	if s.First {
		s.Messages = own[max(0, len(own)-ShownFirst):]
		return s, nil
	}
	s.Messages = sample(own, ShownAtOnce)
	return s, nil
}

// read adds what passes the filter. All of a look is in memory, but of the messages that will not be shown nothing is kept.
func (w *Watch) read(look *stream.Look, s *Sample, own []Message) []Message {
	s.Left += look.Left
	s.Read += len(look.Entries)
	for i := range look.Entries {
		t := &look.Entries[i]
		if string(t.Connection) != w.connection {
			continue
		}
		if w.begun && w.filter.empty() && len(own) >= readShown {
			s.Wanted++ // nobody will see it: it is counted only
			continue
		}
		if m := w.reader.read(t); w.filter.wants(&m) {
			s.Wanted++
			own = append(own, m)
		}
	}
	return own
}

// readShown is how many messages are mapped of which some are shown.
const readShown = 4 * ShownAtOnce

// sample picks n of all, as evenly as it goes, and the last among them.
func sample(all []Message, n int) []Message {
	if len(all) <= n {
		return all
	}
	picked := make([]Message, 0, n)
	for i := 1; i <= n; i++ {
		picked = append(picked, all[len(all)*i/n-1])
	}
	return picked
}
