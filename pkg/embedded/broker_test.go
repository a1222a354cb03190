package embedded

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func playBroker(dir string) {
	b := must(StartBroker(BrokerConfig{Dir: dir}))
	fmt.Println(b.Addr())
	select {}
}

func dial(t *testing.T, addr string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(addr))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func startBroker(t *testing.T, config BrokerConfig) *Broker {
	t.Helper()
	b, err := StartBroker(config)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

func createTopic(t *testing.T, client *kgo.Client, partitions int32, configs map[string]*string) {
	t.Helper()
	created, err := kadm.NewClient(client).CreateTopic(testContext(t), partitions, 1, configs, "topic")
	require.NoError(t, err)
	require.NoError(t, created.Err)
}

// acknowledged remembers which records the broker said yes to, and which it did not.
type acknowledged struct {
	sync.Mutex
	values  map[string]bool
	records int
	failed  int
	enough  chan struct{} // closed at wanted records
	wanted  int
}

func (a *acknowledged) note(record *kgo.Record, err error) {
	a.Lock()
	defer a.Unlock()
	if err != nil {
		a.failed++
		return
	}
	a.values[string(record.Value)] = true
	if a.records++; a.records == a.wanted {
		close(a.enough)
	}
}

// produceUntil produces numbered records from one goroutine until ctx ends.
func produceUntil(ctx context.Context, client *kgo.Client, acks *acknowledged) {
	for n := 0; ctx.Err() == nil; n++ {
		client.Produce(ctx, &kgo.Record{Topic: "topic", Value: []byte(strconv.Itoa(n))}, acks.note)
	}
}

func TestBrokerKeepsWhatItAcknowledgedOverAKill(t *testing.T) {
	dir := t.TempDir()
	victim := play(t, "broker", dir)
	addr := victim.line(t)
	producer := dial(t, addr, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	compact, size := "compact", "4194304"
	createTopic(t, producer, 4, map[string]*string{"cleanup.policy": &compact, "max.message.bytes": &size})
	commit(t, producer, 1, 7)

	acks := &acknowledged{values: map[string]bool{}, wanted: 20_000, enough: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); produceUntil(ctx, producer, acks) }()
	<-acks.enough
	victim.kill()
	cancel()
	<-done
	producer.Close() // ends the records in flight, which would be tried for ever
	require.NoError(t, producer.Flush(testContext(t)))
	require.NotZero(t, acks.failed, "the kill did not come in mid-write")

	b := startBroker(t, BrokerConfig{Dir: dir})
	stored := readAll(t, b.Addr(), 4)
	lost := 0
	for value := range acks.values {
		if !stored[value] {
			lost++
		}
	}
	require.Zero(t, lost, "of %d acknowledged records", len(acks.values))
	requireCommitted(t, b.Addr(), 1, 7)
	requireTopicConfig(t, b.Addr(), map[string]string{"cleanup.policy": compact, "max.message.bytes": size})
}

func commit(t *testing.T, client *kgo.Client, partition int32, at int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "topic", Partition: partition, At: at, LeaderEpoch: -1, Metadata: "range"})
	require.NoError(t, kadm.NewClient(client).CommitAllOffsets(testContext(t), "group", offsets))
}

func requireCommitted(t *testing.T, addr string, partition int32, at int64) {
	t.Helper()
	offsets, err := kadm.NewClient(dial(t, addr)).FetchOffsets(testContext(t), "group")
	require.NoError(t, err)
	offset, found := offsets.Lookup("topic", partition)
	require.True(t, found)
	require.Equal(t, at, offset.At)
	require.Equal(t, "range", offset.Metadata)
}

func requireTopicConfig(t *testing.T, addr string, want map[string]string) {
	t.Helper()
	configs, err := kadm.NewClient(dial(t, addr)).DescribeTopicConfigs(testContext(t), "topic")
	require.NoError(t, err)
	got := map[string]string{}
	for _, config := range configs[0].Configs {
		if _, asked := want[config.Key]; asked {
			got[config.Key] = config.MaybeValue()
		}
	}
	require.Equal(t, want, got)
}

// readAll reads the topic to its present end.
func readAll(t *testing.T, addr string, partitions int32) map[string]bool {
	t.Helper()
	consumer := dial(t, addr, kgo.ConsumeTopics("topic"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := kadm.NewClient(consumer).ListEndOffsets(testContext(t), "topic")
	require.NoError(t, err)
	missing := int64(0)
	for p := range partitions {
		end, found := ends.Lookup("topic", p)
		require.True(t, found)
		missing += end.Offset
	}
	stored := map[string]bool{}
	for missing > 0 {
		fetches := consumer.PollFetches(testContext(t))
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { stored[string(r.Value)] = true; missing-- })
	}
	return stored
}

// TestNothingIsDeletedUnlessATopicSaysSo: this broker applies the default retention to every topic, even
// to compacted ones, as soon as one topic is compacted. Ours has none. The control shows the fault.
func TestNothingIsDeletedUnlessATopicSaysSo(t *testing.T) {
	keep := "60000"
	tests := map[string]struct {
		start   func(*testing.T) *kfake.Cluster
		configs map[string]*string
		records int64
	}{
		"control: the broker's own default": {func(t *testing.T) *kfake.Cluster {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			return cluster
		}, nil, 0},
		"our default":           {ourCluster, nil, 1},
		"a topic's own setting": {ourCluster, map[string]*string{"retention.ms": &keep}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cluster := test.start(t)
			client := dial(t, cluster.ListenAddrs()[0])
			createTopic(t, client, 1, test.configs)
			old := &kgo.Record{Topic: "topic", Value: []byte("old"), Timestamp: time.Now().AddDate(0, 0, -30)}
			require.NoError(t, client.ProduceSync(testContext(t), old).FirstErr())
			cluster.ApplyRetention()

			starts, err := kadm.NewClient(client).ListStartOffsets(testContext(t), "topic")
			require.NoError(t, err)
			first, found := starts.Lookup("topic", 0)
			require.True(t, found)
			require.Equal(t, test.records, 1-first.Offset)
		})
	}
}

func ourCluster(t *testing.T) *kfake.Cluster { return startBroker(t, BrokerConfig{}).Cluster() }

func TestBrokerIsFoundAgainOnItsAddress(t *testing.T) {
	dir := t.TempDir()
	first := startBroker(t, BrokerConfig{Dir: dir, SyncWrites: true, Logger: testLogger(t)})
	addr := first.Addr()
	client := dial(t, addr)
	createTopic(t, client, 1, nil)
	require.NoError(t, client.ProduceSync(testContext(t), &kgo.Record{Topic: "topic", Value: []byte("kept")}).FirstErr())
	first.Close()
	first.Close()

	require.Equal(t, addr, startBroker(t, BrokerConfig{Dir: dir, Addr: addr}).Addr())
	require.Equal(t, map[string]bool{"kept": true}, readAll(t, addr, 1))
}

func TestOneBrokerToAFolder(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, BrokerConfig{Dir: dir})
	_, err := StartBroker(BrokerConfig{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	_, err = StartBroker(BrokerConfig{Addr: b.Addr()})
	require.ErrorContains(t, err, "address already in use")
}

// BenchmarkProduce has one producer, eight partitions, acks=all and records of 750 bytes.
func BenchmarkProduce(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%v", sync), func(b *testing.B) {
			broker, err := StartBroker(BrokerConfig{Dir: b.TempDir(), SyncWrites: sync})
			require.NoError(b, err)
			defer broker.Close()
			client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()), kgo.ProducerBatchCompression(kgo.NoCompression()))
			require.NoError(b, err)
			defer client.Close()
			_, err = kadm.NewClient(client).CreateTopic(context.Background(), 8, 1, nil, "topic")
			require.NoError(b, err)

			value := make([]byte, 750)
			b.SetBytes(int64(len(value)))
			b.ResetTimer()
			for n := range b.N {
				record := &kgo.Record{Topic: "topic", Key: strconv.AppendInt(nil, int64(n), 10), Value: value}
				client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
					if err != nil {
						b.Error(err)
					}
				})
			}
			require.NoError(b, client.Flush(context.Background()))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
