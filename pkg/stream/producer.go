package stream

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ProducerConfig bounds the writing of records.
type ProducerConfig struct {
	Linger                time.Duration `help:"How long a record may wait for company before it is sent to the broker. More gives fuller requests, and answers that are later by as much." default:"2ms"`
	ProduceTimeout        time.Duration `help:"How long to wait for the brokers' acknowledgement. Longer than Segment's own 10s is of no use." default:"8s"`
	MaxProduceBufferBytes int           `help:"Bytes of records that may wait for the brokers." default:"268435456"`
	Compression           string        `help:"Compression of records: none, lz4, snappy or zstd." enum:"none,lz4,snappy,zstd" default:"lz4"`
}

// Validate checks the bounds.
func (c *ProducerConfig) Validate() error {
	switch {
	case c.Linger < 0 || c.Linger > time.Second:
		return fmt.Errorf("--linger is %s, but must be from 0 to 1s", c.Linger)
	case c.ProduceTimeout < time.Second:
		return fmt.Errorf(
			"--produce-timeout is %s, but must be at least 1s: a broker's failover takes seconds",
			c.ProduceTimeout,
		)
	case c.MaxProduceBufferBytes < 1<<20:
		return fmt.Errorf("--max-produce-buffer-bytes is %d, but must be at least 1048576", c.MaxProduceBufferBytes)
	}
	return nil
}

// Producer writes records with acks=all.
type Producer struct {
	kafka   *kgo.Client
	topics  Topics
	timeout time.Duration
	pool    sync.Pool
}

// requestOverhead is what the network may take beside the time-out that a broker is told.
const requestOverhead = 2 * time.Second

// maxBufferedRecords is far above what the bound in bytes lets through.
const maxBufferedRecords = 4 << 20

// NewProducer makes a producer; part says whose, in the names of its metrics.
func (c *Client) NewProducer(part string, config ProducerConfig) (*Producer, error) {
	return c.newProducer(config, c.metricsHook(part+"_producer"))
}

func (c *Client) newProducer(config ProducerConfig, more ...kgo.Opt) (*Producer, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if asksOnlyLeaders {
		more = append(more, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	kafka, err := kgo.NewClient(append(c.options(
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(config.Linger),
		kgo.RecordDeliveryTimeout(config.ProduceTimeout),
		// A request that a broker never answers holds its records and all behind them until these two are over;
		// the client's own 10s each kept an edge down for 20s.
		kgo.ProduceRequestTimeout(config.ProduceTimeout),
		kgo.RequestTimeoutOverhead(requestOverhead),
		kgo.MaxBufferedRecords(maxBufferedRecords),
		kgo.MaxBufferedBytes(config.MaxProduceBufferBytes),
		compression(config.Compression),
		kgo.RecordPartitioner(newPartitioner()),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if topic == c.topics.DeadLetters {
				return DeadLetterRecordBytes
			}
			return IngestRecordBytes
		}),
	), more...)...)
	if err != nil {
		return nil, fmt.Errorf("configure the Kafka producer: %w", err)
	}
	p := &Producer{kafka: kafka, topics: c.topics, timeout: config.ProduceTimeout}
	p.pool.New = func() any { return newRequest() }
	return p, nil
}

// IngestRecordBytes bounds a record of the ingest topic with all that belongs to it: the brokers'
// default for max.message.bytes.
const IngestRecordBytes = 1_000_000

// Close waits for the records that are under way, at most as long as ctx allows, and ends.
func (p *Producer) Close(ctx context.Context) error {
	err := p.kafka.Flush(ctx)
	p.kafka.Close()
	return err
}

// ErrNotAcknowledged is the answer when not every record is known to be stored. Some may be.
var ErrNotAcknowledged = errors.New("the brokers did not acknowledge every record")

// Request is a set of records that are written together and waited for together: one request's.
// It holds on to what was added until the last record is acknowledged or given up, which can be
// after Send returned.
type Request struct {
	records []kgo.Record
	headers []kgo.RecordHeader
	times   []byte
	keys    []byte // of the records; lastKey is the end of it
	lastKey []byte

	pending  atomic.Int32 // records under way; the last one ends the wait
	owners   atomic.Int32 // those and the caller; the last one recycles
	failed   atomic.Pointer[error]
	wait     *wait
	spent    bool // the wait cannot be used again
	released func()
	producer *Producer
	onAck    func(*kgo.Record, error)
}

func newRequest() *Request {
	o := &Request{wait: newWait()}
	o.onAck = o.acknowledged // a method value allocates, so it is made once
	return o
}

// headersEach is the most headers a record of ours has.
const headersEach = 12

// NewRequest returns an empty set with room for n records. released is called once, when nothing refers to
// the values any more; it must be quick. Each set must be sent or discarded.
func (p *Producer) NewRequest(n int, released func()) *Request {
	o := p.pool.Get().(*Request)
	o.producer, o.released = p, released
	// Records and headers are referred to by address while they are under way: no growth later.
	o.records = slices.Grow(o.records[:0], n)
	o.headers = slices.Grow(o.headers[:0], n*headersEach)
	o.times = slices.Grow(o.times[:0], n*8)
	o.keys, o.lastKey = o.keys[:0], nil
	return o
}

// Len is the number of records added.
func (o *Request) Len() int { return len(o.records) }

// AddEvent adds a message of KindEvent. value and context are not copied.
func (o *Request) AddEvent(source *Source, receivedAt int64, value, context []byte) {
	o.AddMessage(KindEvent, source, receivedAt, value, context)
}

// AddMessage adds a message of one of the kinds that are not dead letters. value and context are not copied.
func (o *Request) AddMessage(kind Kind, source *Source, receivedAt int64, value, context []byte) {
	o.add(o.producer.topics.Ingest, kind, source, receivedAt, value)
	if context != nil {
		o.header(headerContext, context)
	}
}

// SetTrace adds a W3C traceparent to the record that was added last, which is not copied. nil adds nothing.
func (o *Request) SetTrace(traceparent []byte) {
	if traceparent != nil {
		o.header(headerTrace, traceparent)
	}
}

// DeadLetter says why a message cannot be what it was sent as, and where it comes from.
type DeadLetter struct {
	OriginalKind   Kind // what it was sent as
	Reason, Detail string
	Origin         string // topic/partition/offset, if it was in the log before
	ReplayOf       string // what it was a copy of there, if it was one
	Salt           string // as it was there
}

// AddDeadLetter adds a message that cannot be what it was sent as. Nothing is copied.
func (o *Request) AddDeadLetter(source *Source, receivedAt int64, value, context []byte, letter *DeadLetter) {
	o.add(o.producer.topics.DeadLetters, KindDeadLetter, source, receivedAt, value)
	if context != nil {
		o.header(headerContext, context)
	}
	o.header(headerOriginalKind, bytesOf(string(letter.OriginalKind)))
	o.header(headerReason, bytesOf(letter.Reason))
	o.addText(headerDetail, letter.Detail)
	o.addText(headerOrigin, letter.Origin)
	o.addText(headerReplayOf, letter.ReplayOf)
	o.addText(headerSalt, letter.Salt)
}

// addText adds a header if there is anything in it.
func (o *Request) addText(name, value string) {
	if value != "" {
		o.header(name, bytesOf(value))
	}
}

func (o *Request) add(topic string, kind Kind, source *Source, receivedAt int64, value []byte) {
	if len(o.records) == cap(o.records) {
		panic("BUG: more records than Begin was told of")
	}
	o.times = binary.BigEndian.AppendUint64(o.times, uint64(receivedAt))
	o.records = append(o.records, kgo.Record{Topic: topic, Key: o.key(source), Value: value})
	o.header(headerKind, bytesOf(string(kind)))
	o.header(headerWorkspace, bytesOf(source.Workspace))
	o.header(headerConnection, bytesOf(source.Connection))
	o.header(headerProvider, bytesOf(source.Provider))
	o.header(headerReceivedAt, o.times[len(o.times)-8:])
}

// key returns the key of a source's records. The records of one source share it.
func (o *Request) key(source *Source) []byte {
	n := len(o.keys)
	o.keys = appendKey(o.keys, source.Workspace, source.Product)
	if key := o.keys[n:len(o.keys):len(o.keys)]; !bytes.Equal(key, o.lastKey) {
		o.lastKey = key
	} else {
		o.keys = o.keys[:n]
	}
	return o.lastKey
}

// header adds to the last record, whose headers are the end of the shared slice.
func (o *Request) header(name string, value []byte) {
	r := &o.records[len(o.records)-1]
	o.headers = append(o.headers, kgo.RecordHeader{Key: name, Value: value})
	n := len(r.Headers) + 1
	r.Headers = o.headers[len(o.headers)-n : len(o.headers) : len(o.headers)]
}

// Send writes the records and waits until each is acknowledged by all in-sync replicas. Any error
// wraps ErrNotAcknowledged: some of the records may be stored all the same, and only a resend settles
// it. Send gives up after the time-out; the memory stays theirs until the client lets go of it. Where the client has no
// room, a context that can end is waited for, and one that cannot is answered at once.
func (o *Request) Send(ctx context.Context) error {
	n := int32(len(o.records))
	if n == 0 {
		o.Discard()
		return nil
	}
	o.failed.Store(nil)
	o.pending.Store(n)
	o.owners.Store(n + 1)
	produce := o.producer.kafka.TryProduce // does not wait for room, for nothing would end that in time
	if ctx.Done() != nil {
		produce = o.producer.kafka.Produce
		timed, cancel := context.WithTimeout(ctx, o.producer.timeout)
		defer cancel()
		ctx = timed
	}
	o.wait.begin(ctx, o.producer.timeout)
	for i := range o.records {
		// Where ctx ends first, what was not sent yet is given up with it.
		produce(ctx, &o.records[i], o.onAck)
	}
	done, reusable := o.wait.end()
	var err error
	if failed := o.failed.Load(); !done {
		err = fmt.Errorf("%w: %w", ErrNotAcknowledged, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	} else if failed != nil {
		err = fmt.Errorf("%w: %w", ErrNotAcknowledged, *failed)
	}
	o.spent = !reusable
	o.release()
	return err
}

// Discard gives an unsent set back.
func (o *Request) Discard() {
	o.owners.Store(1)
	o.release()
}

func (o *Request) acknowledged(_ *kgo.Record, err error) {
	if err != nil {
		first := err // so that err itself stays off the heap
		o.failed.CompareAndSwap(nil, &first)
	}
	if o.pending.Add(-1) == 0 {
		o.wait.acknowledge()
	}
	o.release()
}

func (o *Request) release() {
	if o.owners.Add(-1) != 0 {
		return
	}
	released := o.released
	clear(o.records)
	clear(o.headers)
	o.released = nil
	if !o.spent {
		o.producer.pool.Put(o)
	}
	if released != nil {
		released()
	}
}
