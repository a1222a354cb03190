package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReplayConfig says what is replayed of the records within reach.
type ReplayConfig struct {
	Workspaces []string   // only records of these; empty selects all
	Products   []string   // only records of these; empty selects all
	Reasons    []string   // only dead letters of these; empty is of all reasons
	Only       []Position // only these records, if there are any; the spans are those of SpansOf
	Rate       int        // records a second; 0 is as fast as it goes
	DryRun     bool       // count, and write nothing
}

// Replay writes records of the log to the ingest topic again, for the loader to map with its current mapping. Key,
// value, headers and the time of receipt stay, so the resulting rows have the same keys.
type Replay struct {
	config    ReplayConfig
	client    *Client
	producer  *Producer
	kafka     *kgo.Client
	selection selection
	pace      pace

	mu           sync.Mutex
	remaining    map[Partition]OffsetRange // what is left to be read
	lastProgress time.Time                 // when the last records came
	current      ReplayProgress
}

// ReplayGroup tells apart what is replayed.
type ReplayGroup struct {
	Workspace      string
	Product        string
	Kind           Kind // for dead letters, what they were sent as
	FromDeadLetter bool
}

// ReplayProgress counts records.
type ReplayProgress struct {
	Total, Read int64 // offsets within reach, and of them those behind us
	Verdicts    [verdicts]int64
	ByGroup     map[ReplayGroup]int64 // what is wanted, taken apart
}

const (
	// maxReplayBatch bounds the records that are written, and after a failure written again, together.
	maxReplayBatch = 1000
	// replayTimeout is how long the brokers may give or take nothing.
	replayTimeout = time.Minute
	// replayPoll is how often a replay that gets nothing looks at the time.
	replayPoll       = time.Second
	replayFetchBytes = 8 << 20
)

// replayProducer waits longer than an edge: nobody stands in line behind it.
var replayProducer = ProducerConfig{
	Linger:                time.Millisecond,
	ProduceTimeout:        15 * time.Second,
	MaxProduceBufferBytes: 256 << 20,
	Compression:           "lz4",
}

// NewReplay prepares a replay of the spans.
func (c *Client) NewReplay(config ReplayConfig, spans []OffsetRange) (*Replay, error) {
	r := &Replay{
		config:       config,
		client:       c,
		selection:    newSelection(&config, c.topics, spans),
		pace:         pace{rate: config.Rate},
		remaining:    map[Partition]OffsetRange{},
		lastProgress: time.Now(),
	}
	r.current.ByGroup = map[ReplayGroup]int64{}
	from := map[string]map[int32]kgo.Offset{}
	for _, s := range spans {
		r.remaining[s.Partition] = s
		r.current.Total += s.Until - s.From
		if from[s.Topic] == nil {
			from[s.Topic] = map[int32]kgo.Offset{}
		}
		from[s.Topic][s.ID] = kgo.NewOffset().At(s.From)
	}
	var err error
	if r.producer, err = c.newProducer(replayProducer); err != nil {
		return nil, err
	}
	r.kafka, err = kgo.NewClient(c.options(
		kgo.ConsumePartitions(from),
		c.config.Access.nearestReplica(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what was deleted with age meanwhile is behind us
		kgo.KeepControlRecords(),                          // the last of a span may be one
		kgo.FetchMaxBytes(replayFetchBytes),
		kgo.FetchMaxPartitionBytes(replayFetchBytes/4),
		kgo.MaxConcurrentFetches(2),
	)...)
	if err != nil {
		return nil, fmt.Errorf("configure the reader of a replay: %w", err)
	}
	return r, nil
}

// Close ends the connections. Run has waited for all it wrote.
func (r *Replay) Close() {
	r.kafka.Close()
	r.producer.kafka.Close()
}

// Progress is how far it has come.
func (r *Replay) Progress() ReplayProgress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.current
	p.ByGroup = maps.Clone(p.ByGroup)
	return p
}

// Remaining is what has not been replayed, and the place to go on from.
func (r *Replay) Remaining() []Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := make([]Position, 0, len(r.remaining))
	for p, s := range r.remaining {
		rest = append(rest, Position{p, s.From})
	}
	slices.SortFunc(rest, func(a, b Position) int { return a.compare(b.Partition) })
	return rest
}

// Run replays to the end of the spans, or until ctx ends or the brokers fail for too long. What it has counted then is
// acknowledged by all in-sync replicas; Rest may have been written in part, which changes nothing when it is written
// again.
func (r *Replay) Run(ctx context.Context) error {
	for len(r.Remaining()) > 0 {
		run, err := r.poll(ctx)
		if err == nil {
			err = r.write(ctx, run)
		}
		if err != nil {
			return err
		}
		r.advance(run)
		if err := r.pace.wait(ctx, len(run.chosen)); err != nil {
			return err
		}
	}
	return nil
}

// replayBatch is what one poll brought.
type replayBatch struct {
	read   map[Partition]int64 // where each partition has been read up to
	chosen []*kgo.Record
	as     []ReplayGroup
	counts [verdicts]int64
}

// poll reads some records of the spans, perhaps none.
func (r *Replay) poll(ctx context.Context) (*replayBatch, error) {
	waiting, cancel := context.WithTimeout(ctx, replayPoll)
	defer cancel()
	fetches := r.kafka.PollRecords(waiting, r.pace.most())
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	run := &replayBatch{read: map[Partition]int64{}}
	var e Record
	fetches.EachRecord(func(record *kgo.Record) {
		p := Partition{record.Topic, record.Partition}
		span, open := r.remaining[p]
		if !open || record.Offset < span.From {
			return
		}
		run.read[p] = min(record.Offset+1, span.Until)
		if record.Offset >= span.Until || record.Attrs.IsControl() {
			return
		}
		e.decode(record)
		verdict := r.selection.verdict(record, &e)
		run.counts[verdict]++
		if verdict == Selected {
			run.chosen = append(run.chosen, record)
			run.as = append(
				run.as,
				ReplayGroup{
					string(e.Workspace),
					string(e.Product),
					e.originalKind(),
					record.Topic == r.client.topics.DeadLetters,
				},
			)
		}
	})
	if len(run.read) > 0 || time.Since(r.lastProgress) < replayTimeout {
		return run, nil
	}
	err := errors.New("a span of the log is gone, or the brokers are away")
	fetches.EachError(func(topic string, partition int32, cause error) {
		if !errors.Is(cause, context.DeadlineExceeded) {
			err = fmt.Errorf("%s: %w", Partition{topic, partition}, cause)
		}
	})
	return nil, fmt.Errorf("nothing could be read for %s: %w", replayTimeout, err)
}

// write sends what was chosen, and tries again for as long as the brokers may be in trouble. A signal does not cut it
// short: what has been sent is either acknowledged or sent again by whoever goes on.
func (r *Replay) write(ctx context.Context, run *replayBatch) error {
	if r.config.DryRun {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	backoff := retry.WithMaxDuration(
		replayTimeout,
		retry.WithCappedDuration(awaitMost, retry.NewExponential(awaitFirst)),
	)
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		out := r.producer.NewRequest(len(run.chosen), nil)
		for _, record := range run.chosen {
			out.addCopy(record)
		}
		err := out.Send(ctx)
		if errors.Is(err, kerr.MessageTooLarge) {
			return err
		}
		return retry.RetryableError(err)
	})
}

// advance counts what is done.
func (r *Replay) advance(run *replayBatch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, next := range run.read {
		span := r.remaining[p]
		r.current.Read += next - span.From
		r.lastProgress = time.Now()
		if span.From = next; span.From < span.Until {
			r.remaining[p] = span
			continue
		}
		delete(r.remaining, p)
		r.kafka.PauseFetchPartitions(map[string][]int32{p.Topic: {p.ID}}) // what comes behind may be our own
	}
	for verdict, n := range run.counts {
		r.current.Verdicts[verdict] += n
	}
	for _, as := range run.as {
		r.current.ByGroup[as]++
	}
}

// pace keeps to a rate, without making up for time lost.
type pace struct {
	rate int // a second; 0 is none
	next time.Time
}

// paceParts: a second's records come in so many parts at least.
const paceParts = 10

// most is how many may be written at once.
func (p *pace) most() int {
	if p.rate == 0 {
		return maxReplayBatch
	}
	return min(max(p.rate/paceParts, 1), maxReplayBatch)
}

// wait waits as long as n records take.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate == 0 || n == 0 {
		return ctx.Err()
	}
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	select {
	case <-time.After(time.Until(p.next)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
