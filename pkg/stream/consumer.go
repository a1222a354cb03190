package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ConsumerConfig says as which group to read, and how much at once.
type ConsumerConfig struct {
	Group             string        `help:"The consumer group: loaders of one group share the partitions." default:"millrace-loader"`
	InstanceID        string        `help:"Name of this loader in the group, which no other may have. One that is started again within --session-timeout has its partitions back at once; one that ends keeps them for as long. Empty: none, and a loader that ends gives its partitions to the others." placeholder:"NAME"`
	SessionTimeout    time.Duration `help:"How long the group waits for a silent loader before others take its partitions." default:"8s"`
	RebalanceTimeout  time.Duration `help:"Time a member has to rejoin during a rebalance before it is removed." default:"10s"`
	FetchBytes        int32         `help:"Bytes asked of a broker at once, as they are compressed." default:"4194304"`
	FetchPartition    int32         `name:"fetch-partition-bytes" help:"Bytes asked of one partition at once, as they are compressed." default:"1048576"`
	ConcurrentFetches int           `help:"Fetches that may be under way or waiting to be taken." default:"2"`

	MaxUnpackedBytes int64 `kong:"-"` // of records that are fetched, unpacked and not yet polled; 0 is no limit
}

// minSessionTimeout is the brokers' default for group.min.session.timeout.ms.
const minSessionTimeout = 6 * time.Second

// groupTimeout is how long a broker may take to answer before it is asked again over another connection. It is
// below the least session: a heartbeat that is lost must not cost the membership.
const groupTimeout = 5 * time.Second

// Heartbeat is the interval at which a member learns of a rebalance.
func (c *ConsumerConfig) Heartbeat() time.Duration { return c.SessionTimeout / 5 }

// Validate checks the bounds.
func (c *ConsumerConfig) Validate() error {
	switch {
	case c.Group == "":
		return errors.New("--group must not be empty")
	case c.SessionTimeout < minSessionTimeout:
		return fmt.Errorf(
			"--session-timeout is %s, but must be at least %s: brokers take no less by default",
			c.SessionTimeout,
			minSessionTimeout,
		)
	case c.RebalanceTimeout < c.SessionTimeout:
		return fmt.Errorf(
			"--rebalance-timeout is %s, but must be at least --session-timeout, %s",
			c.RebalanceTimeout,
			c.SessionTimeout,
		)
	case c.FetchPartition < 1<<20 || c.FetchBytes < c.FetchPartition:
		return errors.New("--fetch-partition-bytes must be at least 1048576, and --fetch-bytes at least that")
	case c.ConcurrentFetches < 1:
		return errors.New("--concurrent-fetches must be at least 1")
	}
	return nil
}

// Partition names one partition of a topic.
type Partition struct {
	Topic string
	ID    int32
}

func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.ID) }

func (p Partition) compare(q Partition) int {
	return cmp.Or(cmp.Compare(p.Topic, q.Topic), cmp.Compare(p.ID, q.ID))
}

// Batch is a run of one partition's records in offset order.
type Batch struct {
	Partition
	End   int64 // the partition's end when this was fetched: one past its last record
	Bytes int64 // of keys, values and headers
	// Prepared is where the block ends that the partition's last owner had prepared and not finished, in the
	// first batch after the partition was assigned. 0 is none.
	Prepared int64
	// Lost is the number of records from LostFrom on that the brokers deleted before this member fetched them. They
	// follow the committed offset, or the batch before this one.
	Lost, LostFrom int64
	records        []*kgo.Record
}

// NewBatch makes a batch of records of p, which ends at end.
func NewBatch(p Partition, end int64, records []*kgo.Record) *Batch {
	b := &Batch{Partition: p, End: end, records: records}
	for _, r := range records {
		b.Bytes += size(r)
	}
	return b
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.records) }

// Remaining is how many records there are behind these.
func (b *Batch) Remaining() int64 {
	if len(b.records) == 0 {
		return 0
	}
	return max(0, b.End-1-b.records[len(b.records)-1].Offset)
}

// Size is the bytes of record i; Bytes is their sum.
func (b *Batch) Size(i int) int64 { return size(b.records[i]) }

// Timestamp is when record i was written, by its producer's clock.
func (b *Batch) Timestamp(i int) time.Time { return b.records[i].Timestamp }

// Offset is where record i is in its partition.
func (b *Batch) Offset(i int) int64 { return b.records[i].Offset }

// Entry decodes record i into e.
func (b *Batch) Entry(i int, e *Record) { e.decode(b.records[i]) }

// Owner is told what this member of the group owns. Calls never overlap with each other or with the
// handling of a poll's batches.
type Owner interface {
	// Assigned comes before the first batch of the partitions.
	Assigned(partitions []Partition)
	// Revoked must return only when nothing will be committed for the partitions any more, and in less
	// than the session's time-out. lost is set when they may belong to another member already.
	Revoked(partitions []Partition, lost bool)
}

// Consumer is one member of the group.
type Consumer struct {
	kafka     *kgo.Client
	owner     Owner
	config    ConsumerConfig
	unpacking *unpackLimit
	cancel    context.CancelFunc // ends whatever the Kafka client waits for

	committing chan struct{} // holds a token while a commit is under way

	mu        sync.Mutex
	members   map[Partition]string // what is owned, and as which member it was assigned
	expected  map[Partition]int64  // the offset to be fetched next
	prepared  map[Partition]int64  // until a batch of the partition carries it
	rebalance sync.Once            // see reshareAfter
	topicIDs  map[string][16]byte  // as what was read was fetched under them; brokers before 3.1 have none
}

// fetchMaxWait is how long a broker holds a fetch that finds nothing. New records end it at once, but a
// partition that is resumed has to wait for it, since it was not part of it: at the client's default of
// five seconds, a backlog that made lanes pause was loaded in bursts with seconds of silence between them.
const fetchMaxWait = 100 * time.Millisecond

// NewConsumer joins the group for the topics.
func (c *Client) NewConsumer(config ConsumerConfig, owner Owner, topics ...string) (*Consumer, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	ctx, cut := context.WithCancel(context.Background())
	consumer := &Consumer{
		owner: owner, config: config, cancel: cut, committing: make(chan struct{}, 1),
		members: map[Partition]string{}, expected: map[Partition]int64{}, prepared: map[Partition]int64{},
		topicIDs:  map[string][16]byte{},
		unpacking: newUnpackLimit(config.MaxUnpackedBytes),
	}
	options := []kgo.Opt{
		kgo.WithContext(ctx),
		c.metricsHook("consumer"),
		kgo.WithHooks(consumer.unpacking),
		kgo.WithDecompressor(consumer.unpacking),
		c.config.Access.nearestReplica(),
		kgo.ConsumerGroup(config.Group),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // a group without a past has everything before it
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(config.SessionTimeout),
		kgo.HeartbeatInterval(config.Heartbeat()),
		kgo.RebalanceTimeout(config.RebalanceTimeout),
		kgo.RequestTimeoutOverhead(groupTimeout),
		kgo.DisableAutoCommit(),
		// A partition changes hands only between polls, when no batch of it is being handed out.
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxWait(fetchMaxWait),
		kgo.FetchMaxBytes(config.FetchBytes),
		kgo.FetchMaxPartitionBytes(config.FetchPartition),
		kgo.MaxConcurrentFetches(config.ConcurrentFetches),
		kgo.OnPartitionsAssigned(consumer.assigned),
		kgo.OnOffsetsFetched(consumer.readPrepared),
		kgo.OnPartitionsRevoked(
			func(_ context.Context, _ *kgo.Client, m map[string][]int32) { consumer.revoked(partitions(m), false) },
		),
		kgo.OnPartitionsLost(
			func(_ context.Context, _ *kgo.Client, m map[string][]int32) { consumer.revoked(partitions(m), true) },
		),
	}
	if config.InstanceID != "" {
		options = append(options, kgo.InstanceID(config.InstanceID))
	}
	kafka, err := kgo.NewClient(c.options(options...)...)
	if err != nil {
		cut()
		return nil, fmt.Errorf("configure the Kafka consumer: %w", err)
	}
	consumer.kafka = kafka
	return consumer, nil
}

// assigned and revoked come from the Kafka client's own goroutine, the first perhaps before NewConsumer
// has returned.
func (c *Consumer) assigned(_ context.Context, kafka *kgo.Client, m map[string][]int32) {
	member, _ := kafka.GroupMetadata()
	list := partitions(m)
	c.mu.Lock()
	for _, p := range list {
		c.members[p] = member
	}
	c.mu.Unlock()
	c.owner.Assigned(list)
	if c.config.InstanceID != "" {
		c.rebalance.Do(func() { time.AfterFunc(rebalanceAfter, kafka.ForceRebalance) })
	}
}

// rebalanceAfter is the delay after which a static member requests one rebalance.
// It was given back what it had without that. If it was killed in the middle of handing a partition over, between
// giving it up and saying so, then nobody has that one. The time is for reading offsets, which sharing out breaks off.
const rebalanceAfter = 2 * time.Second

func (c *Consumer) revoked(list []Partition, lost bool) {
	c.owner.Revoked(list, lost)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range list {
		delete(c.members, p)
		delete(c.expected, p)
		delete(c.prepared, p)
	}
}

func partitions(m map[string][]int32) []Partition {
	var list []Partition
	for topic, ids := range m {
		for _, id := range ids {
			list = append(list, Partition{topic, id})
		}
	}
	return list
}

// maxPollRecords bounds how long one poll keeps a rebalance waiting.
const maxPollRecords = 50_000

// Poll waits for records and passes each partition's to take, which must not block. The error, if any,
// is of one partition, one broker or the membership: polling again goes on with the rest.
func (c *Consumer) Poll(ctx context.Context, take func(*Batch)) error {
	defer c.kafka.AllowRebalance()
	fetches := c.kafka.PollRecords(ctx, maxPollRecords)
	c.unpacking.polled(fetches, c.kafka.BufferedFetchBytes())
	fetches.EachTopic(c.noteTopicID)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		b := NewBatch(Partition{p.Topic, p.Partition}, p.HighWatermark, p.Records)
		b.Prepared = c.takePrepared(b.Partition)
		b.Lost, b.LostFrom = c.countLost(b, p.LogStartOffset)
		take(b)
	})
	var err error
	fetches.EachError(func(topic string, partition int32, cause error) {
		if ctx.Err() != nil && errors.Is(cause, ctx.Err()) {
			return // it is nobody's; what else there is must not be lost with it, for it is told once
		}
		if errors.Is(cause, errUnpackLimit) {
			return // the next fetch continues at the same offset
		}
		if topic == "" { // it is the membership that failed
			err = fenced(cause)
			return
		}
		err = fmt.Errorf("fetch %s: %w", Partition{topic, partition}, cause)
	})
	return cmp.Or(err, ctx.Err())
}

func (c *Consumer) noteTopicID(t kgo.FetchTopic) {
	if t.TopicID != [16]byte{} {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.topicIDs[t.Topic] = t.TopicID
	}
}

// countLost compares the offset of a batch with the expected one, and returns the number of records between that are
// lost, and where they begin. Compaction and the markers of transactions leave gaps as well, but not below the start of
// the log.
func (c *Consumer) countLost(b *Batch, logStart int64) (lost, from int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, known := c.expected[b.Partition]
	c.expected[b.Partition] = b.Offset(b.Len()-1) + 1
	if !known {
		return 0, 0
	}
	return max(0, min(logStart, b.Offset(0))-from), from
}

func (c *Consumer) takePrepared(p Partition) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.prepared[p]
	delete(c.prepared, p)
	return until
}

func size(r *kgo.Record) int64 {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return int64(n)
}

// Pause stops fetching of a partition, Resume goes on with it.
func (c *Consumer) Pause(p Partition) {
	c.kafka.PauseFetchPartitions(map[string][]int32{p.Topic: {p.ID}})
}

// Resume ends a Pause.
func (c *Consumer) Resume(p Partition) {
	c.kafka.ResumeFetchPartitions(map[string][]int32{p.Topic: {p.ID}})
}

// Close gives up what is still owned, of which Owner.Revoked is told, and leaves the group; with an instance id it
// stays a member until its session is over. Brokers that do not answer are not waited for beyond ctx.
func (c *Consumer) Close(ctx context.Context) {
	defer c.cancel()
	defer context.AfterFunc(ctx, c.cancel)()
	c.kafka.CloseAllowingRebalance()
}
