//go:build apachekafka

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/test/env"
	"github.com/millrace/millrace/test/env/kafka"
)

const (
	ingestTopic   = "millrace.ingest"
	registryTopic = "millrace.connections"
	products      = 8
)

// kafkaWorld is an edge and a loader on a cluster whose nodes are killed.
type kafkaWorld struct {
	*ledger
	t       *testing.T
	cluster *kafka.Cluster
	kafka   *kadm.Client
	db      env.Database
	urls    []string // by product
	acks    [products]atomic.Int64
}

func newKafkaWorld(t *testing.T) *kafkaWorld {
	w := &kafkaWorld{
		ledger: &ledger{sent: map[string]bool{}, answered: map[string]bool{}},
		t:      t, cluster: kafka.Start(t), db: env.ClickHouse(t),
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.Addrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	w.kafka = kadm.NewClient(client)
	brokers := strings.Join(w.cluster.Addrs(), ",")
	clickhouse := []string{"--clickhouse", w.db.Addr(), "--database", w.db.Name}
	_, errs, err := run(t, nil, "millrace", append([]string{"migrate"}, clickhouse...)...)
	require.NoError(t, err, errs)
	edge := startServer(t, "edge", "--brokers", brokers, "--http", "127.0.0.1:0")
	loader := startServer(t, "loader", append([]string{"--brokers", brokers, "--block-linger", "200ms"}, clickhouse...)...)
	edge.awaitReady()
	loader.awaitReady()
	for i := range products {
		w.urls = append(w.urls, admin(t, brokers, "create", "--product", fmt.Sprintf("product-%d", i), "--public-url", edge.http).URL)
	}
	require.NoError(t, w.cluster.AwaitInSync(w.ctx()))
	return w
}

// ctx is for what has to happen within a minute.
func (w *kafkaWorld) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

// send sends a batch for a product and notes its answer.
func (w *kafkaWorld) send(product int, ids ...string) (status int, retryAfter string) {
	var messages []string
	for i, id := range ids {
		messages = append(messages, fmt.Sprintf(`{"type":"track","event":"E","messageId":"%s","timestamp":"2026-%02d-18T12:00:00Z"}`, id, 1+i%12))
	}
	w.note(w.sent, ids)
	client := &http.Client{Timeout: patience}
	response, err := client.Post(w.urls[product], "application/json", strings.NewReader("["+strings.Join(messages, ",")+"]"))
	if err != nil {
		w.t.Errorf("the edge gives no answer: %v", err)
		return 0, ""
	}
	response.Body.Close()
	if response.StatusCode == http.StatusOK {
		w.note(w.answered, ids)
		w.acks[product].Add(1)
	}
	return response.StatusCode, response.Header.Get("Retry-After")
}

// stream sends for every product until stopped.
func (w *kafkaWorld) stream() (stop func()) {
	ended := make(chan struct{})
	var senders sync.WaitGroup
	for product := range products {
		senders.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				case <-time.After(20 * time.Millisecond):
				}
				var ids []string
				for i := range 10 {
					ids = append(ids, fmt.Sprintf("%d-%d-%d", product, n, i))
				}
				w.send(product, ids...)
			}
		})
	}
	return func() { close(ended); senders.Wait() }
}

// flows waits until every product has had another answer of 200 to what was sent from now on.
func (w *kafkaWorld) flows() {
	w.t.Helper()
	var before [products]int64
	for i := range products {
		before[i] = w.acks[i].Load()
	}
	require.Eventually(w.t, func() bool {
		for i := range products {
			if w.acks[i].Load() < before[i]+2 { // the first may have been on its way
				return false
			}
		}
		return true
	}, time.Minute, poll, "each product's events are taken")
}

// busiest leads the partition with the most events.
func (w *kafkaWorld) busiest() *kafka.Node {
	w.t.Helper()
	ends, err := w.kafka.ListEndOffsets(w.ctx(), ingestTopic)
	require.NoError(w.t, err)
	var most kadm.ListedOffset
	ends.Each(func(end kadm.ListedOffset) {
		require.NoError(w.t, end.Err)
		if end.Offset > most.Offset {
			most = end
		}
	})
	require.NotZero(w.t, most.Offset)
	return w.leader(ingestTopic, most.Partition)
}

func (w *kafkaWorld) leader(topic string, partition int32) *kafka.Node {
	w.t.Helper()
	leader, err := w.cluster.Leader(w.ctx(), topic, partition)
	require.NoError(w.t, err)
	return leader
}

func (w *kafkaWorld) coordinator() *kafka.Node {
	w.t.Helper()
	found := w.kafka.FindGroupCoordinators(w.ctx(), "millrace-loader")
	require.NoError(w.t, found.Error())
	return w.cluster.Nodes[found["millrace-loader"].NodeID-1]
}

func (w *kafkaWorld) outcomes(like string) string {
	return w.db.Exec(w.t, "SELECT count() FROM outcomes WHERE message_id LIKE '"+like+"'")
}

// loaded waits until the loader has gone through all that is in the log.
func (w *kafkaWorld) loaded(mark string) {
	w.t.Helper()
	for product := range products {
		require.Eventually(w.t, func() bool {
			status, _ := w.send(product, fmt.Sprintf("%s-%d", mark, product))
			return status == http.StatusOK
		}, time.Minute, poll)
	}
	require.Eventually(w.t, func() bool { return w.outcomes(mark+"-%") == fmt.Sprint(products) }, time.Minute, poll, "the loader goes on")
}

// stored reads the outcomes and requires that nothing is there twice or was never sent.
func (w *kafkaWorld) stored() map[string]bool {
	w.t.Helper()
	seen := map[string]bool{}
	for _, id := range strings.Split(w.db.Exec(w.t, "SELECT message_id FROM outcomes"), "\n") {
		require.True(w.t, w.sent[id], "%q was never sent", id)
		require.False(w.t, seen[id], "%q is there twice", id)
		seen[id] = true
	}
	return seen
}

// balanced requires that each 200 is an outcome once, and that nothing is there that was not sent. It waits:
// the months of one block can be seen one after the other.
func (w *kafkaWorld) balanced() {
	w.t.Helper()
	var lost []string
	deadline := time.Now().Add(patience)
	for {
		seen := w.stored()
		lost = lost[:0]
		for id := range w.answered {
			if !seen[id] {
				lost = append(lost, id)
			}
		}
		if len(lost) == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(poll)
	}
	require.Empty(w.t, lost, "answered with 200 and lost")
	require.Equal(w.t, "0", w.db.Exec(w.t, "SELECT count() FROM dead_letters"))
	w.t.Logf("%d sent, %d answered, %s stored, %s rows", len(w.sent), len(w.answered), w.outcomes("%"), w.db.Exec(w.t, "SELECT count() FROM events"))
}

// Nodes are killed in mid-stream: what was answered with 200 is there once, and nothing is there that was
// not sent.
func TestKafka_KilledNodes_LoseNoAcknowledgedMessage(t *testing.T) {
	w := newKafkaWorld(t)
	stop := w.stream()
	w.flows()
	for what, choose := range map[string]func() *kafka.Node{"the leader": w.busiest, "the group's coordinator": w.coordinator} {
		node := choose()
		node.Kill()
		begin := time.Now()
		w.flows()
		t.Logf("%s was killed; all products' events are taken again after %s", what, time.Since(begin))
		require.NoError(t, node.Start())
		require.NoError(t, w.cluster.AwaitInSync(w.ctx()))
	}
	stop()
	w.loaded("killed")
	require.Greater(t, len(w.answered), 1000, "the control: much was under way")
	w.balanced()

	w.twoAreDown()
	w.balanced()
}

// twoAreDown leaves the one that leads the registry, so that the edge knows its connections: it says that
// it cannot store, not that it does not know. The one acknowledges nothing, though it leads partitions and
// answers.
func (w *kafkaWorld) twoAreDown() {
	w.t.Helper()
	_, err := w.kafka.CreateTopic(w.ctx(), kafka.Size, -1, nil, "control")
	require.NoError(w.t, err)
	require.NoError(w.t, w.cluster.AwaitInSync(w.ctx(), "control"))
	left := w.leader(registryTopic, 0)
	for _, node := range w.cluster.Nodes {
		if node != left {
			node.Kill()
		}
	}
	w.refuses()
	w.takesWithoutTheOthers(left)
	for _, node := range w.cluster.Nodes {
		if node != left {
			require.NoError(w.t, node.Start())
		}
	}
	require.NoError(w.t, w.cluster.AwaitInSync(w.ctx()))
	w.loaded("down")
}

// refuses requires that no product's events are taken.
func (w *kafkaWorld) refuses() {
	w.t.Helper()
	answered := maps.Clone(w.answered)
	var answers sync.WaitGroup
	for product := range products {
		answers.Go(func() {
			status, retryAfter := w.send(product, fmt.Sprintf("refused-%d", product))
			if status != http.StatusServiceUnavailable || retryAfter == "" {
				w.t.Errorf("two nodes are down, and product %d's events are answered with %d, Retry-After %q", product, status, retryAfter)
			}
		})
	}
	answers.Wait()
	require.Equal(w.t, answered, w.answered)
}

// takesWithoutTheOthers is the control: the node that is left is well, and takes what asks for no replicas.
func (w *kafkaWorld) takesWithoutTheOthers(left *kafka.Node) {
	w.t.Helper()
	var own int32
	for own < kafka.Size && w.leader("control", own) != left {
		own++
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(left.Addr), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w.t, err)
	defer client.Close()
	require.NoError(w.t, client.ProduceSync(w.ctx(), &kgo.Record{Topic: "control", Partition: own}).FirstErr())
}
