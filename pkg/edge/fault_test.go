package edge

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/embedded"
)

// errFault makes the broker close the connection.
var errFault = errors.New("a fault on purpose")

// fault is a broker's misbehaviour that goes on until it is mended.
type fault struct {
	hits   atomic.Int64 // requests it struck: the control that it was real
	mended atomic.Bool
}

func (f *fault) mend() { f.mended.Store(true) }

// failRequests answers a kind of request in place of the broker: with an answer, with a closed
// connection, or with neither and so not at all. Only those that struck is true for, if there is one.
func failRequests[R kmsg.Request](broker *embedded.Broker, key kmsg.Key, struck func(R) bool, strike func(R) (kmsg.Response, error)) *fault {
	f := &fault{}
	broker.Cluster().ControlKey(key.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if f.mended.Load() {
			broker.Cluster().DropControl()
			return nil, nil, false
		}
		if !struck(request.(R)) {
			return nil, nil, false
		}
		broker.Cluster().KeepControl()
		f.hits.Add(1)
		response, err := strike(request.(R))
		return response, err, true
	})
	return f
}

// writes tells whether a request writes to a topic, and to one of the partitions if any are named.
func (r *rig) writes(topic string, partitions ...int32) func(*kmsg.ProduceRequest) bool {
	id := r.topicID(topic)
	return func(request *kmsg.ProduceRequest) bool {
		for _, t := range request.Topics {
			if t.Topic != topic && t.TopicID != id {
				continue
			}
			for _, p := range t.Partitions {
				if len(partitions) == 0 || slices.Contains(partitions, p.Partition) {
					return true
				}
			}
		}
		return false
	}
}

// refuseProduce answers all partitions with a code.
func refuseProduce(code *kerr.Error) func(*kmsg.ProduceRequest) (kmsg.Response, error) {
	return func(request *kmsg.ProduceRequest) (kmsg.Response, error) {
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.Topics {
			t := kmsg.NewProduceResponseTopic()
			t.Topic, t.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				p := kmsg.NewProduceResponseTopicPartition()
				p.Partition, p.ErrorCode = partition.Partition, code.Code
				t.Partitions = append(t.Partitions, p)
			}
			response.Topics = append(response.Topics, t)
		}
		return response, nil
	}
}

func impatient(c *Config) { c.Producer.ProduceTimeout = time.Second }

func TestNoAcknowledgementNo200(t *testing.T) {
	t.Parallel()
	for name, strike := range map[string]func(*kmsg.ProduceRequest) (kmsg.Response, error){
		"refused for good":      refuseProduce(kerr.InvalidRecord),
		"refused for a while":   refuseProduce(kerr.NotEnoughReplicas),
		"written to too few":    refuseProduce(kerr.NotEnoughReplicasAfterAppend),
		"the connection closes": func(*kmsg.ProduceRequest) (kmsg.Response, error) { return nil, errFault },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, broker := start(t, impatient)
			s := r.create(connection.CreateParams{})
			f := failRequests(broker, kmsg.Produce, r.writes(ingest), strike)
			got := r.post(s.path(), "["+track+","+track+`,{"type":"track"}]`)
			requireAnswer(t, got, 503, saysNotDurable)
			require.Equal(t, "1", got.header.Get("Retry-After"))
			require.Positive(t, f.hits.Load())
			r.requireMetric("messages_accepted_total", "0")
			r.requireMetric(`dead_letters_total{reason="missing_event"}`, "0")
			f.mend()
			r.requireNothingHeld()
			require.Eventually(t, func() bool { return r.post(s.path(), track).status == 200 }, patience, poll)
			r.requireMetric("messages_accepted_total", "1")
			require.Contains(t, r.logs.String(), "requests are not stored")
		})
	}
}

// holdProduce lets one request that writes events wait until release is called.
func (r *rig) holdProduce(broker *embedded.Broker) (waiting *atomic.Int64, release func()) {
	waiting = new(atomic.Int64)
	released := make(chan struct{})
	struck := r.writes(ingest)
	broker.Cluster().ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if !struck(request.(*kmsg.ProduceRequest)) {
			return nil, nil, false
		}
		broker.Cluster().DropControl()
		waiting.Add(1)
		broker.Cluster().SleepControl(func() { <-released })
		return nil, nil, false
	})
	release = sync.OnceFunc(func() { close(released) })
	r.Cleanup(release)
	return waiting, release
}

func TestAcknowledgementThatComesLate(t *testing.T) {
	t.Parallel()
	r, broker := start(t, impatient)
	s := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	waiting, release := r.holdProduce(broker)
	body := "[" + track + "," + track + "]"
	requireAnswer(t, r.post(s.path(), body), 503, saysNotDurable)
	require.Positive(t, waiting.Load())

	// The client still holds on to the records, and they to the body.
	admit := r.service.handler.admit
	require.Equal(t, int64(len(body)), admit.bytes.Load())
	require.Zero(t, admit.requests.Load())
	r.requireMetric("in_flight_bytes", strconv.Itoa(len(body)))
	release()
	r.requireNothingHeld()
	requireAnswer(t, r.post(s.path(), body), 200, accepted(2, 2, 0))
	// 503 promises nothing: here the records were stored all the same.
	require.Subset(t, []int{3, 5}, []int{len(r.records(ingest))})
}

func TestAcknowledgementWithinTheTimeout(t *testing.T) {
	r, broker := start(t)
	s := r.create(connection.CreateParams{})
	waiting, release := r.holdProduce(broker)
	answers := make(chan answer, 1)
	go func() { answers <- r.post(s.path(), track) }()
	require.Eventually(t, func() bool { return waiting.Load() > 0 }, patience, poll)
	select {
	case got := <-answers:
		t.Fatalf("answered %d before the acknowledgement", got.status)
	default:
	}
	release()
	requireAnswer(t, <-answers, 200, accepted(1, 1, 0))
}

// One partition fails: requests to it get a 503, and those to the others their 200.
func TestOneFailingPartition(t *testing.T) {
	t.Parallel()
	r, broker := start(t, impatient)
	var senders []sender
	for _, product := range []string{"a", "b", "c", "d", "e", "f"} {
		s := r.create(connection.CreateParams{ProductID: product})
		requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
		senders = append(senders, s)
	}
	partitions := map[string]int32{}
	for _, record := range r.records(ingest) {
		_, product, _ := strings.Cut(string(record.Key), "\x00")
		partitions[product] = record.Partition
	}
	bad := partitions["a"]
	f := failRequests(broker, kmsg.Produce, r.writes(ingest, bad), refuseProduce(kerr.InvalidRecord))
	failed := 0
	for _, s := range senders {
		if partitions[s.ProductID] == bad {
			requireAnswer(t, r.post(s.path(), track), 503, saysNotDurable)
			failed++
			continue
		}
		requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	}
	require.Less(t, failed, len(senders))
	require.Positive(t, f.hits.Load())
	f.mend()
	requireAnswer(t, r.post(senders[0].path(), track), 200, accepted(1, 1, 0))
	r.requireNothingHeld()
}

// A dead letter counts like an event: it is safe before the answer.
func TestUnwrittenDeadLetterNo200(t *testing.T) {
	r, broker := start(t, impatient)
	s := r.create(connection.CreateParams{})
	mixed := "[" + track + `,{"type":"track"}]`
	requireAnswer(t, r.post(s.path(), mixed), 200, listing(accepted(2, 1, 1), 1, "missing_event"))
	f := failRequests(broker, kmsg.Produce, r.writes(deadLetters), refuseProduce(kerr.InvalidRecord))
	requireAnswer(t, r.post(s.path(), mixed), 503, saysNotDurable)
	require.Positive(t, f.hits.Load())
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	f.mend()
	requireAnswer(t, r.post(s.path(), mixed), 200, listing(accepted(2, 1, 1), 1, "missing_event"))
	r.requireNothingHeld()
}

// A broker that goes away for good and one that comes back at its address.
func TestBrokerGoneAndBack(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	dir := t.TempDir()
	broker, err := embedded.StartBroker(embedded.BrokerConfig{Addr: addr, Dir: dir})
	require.NoError(t, err)
	r := startOn(t, addr, nil, impatient)
	r.awaitReady()
	s := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	broker.Close()
	require.Eventually(t, func() bool { return len(r.health.Unmet()) == 1 }, patience, poll)
	requireAnswer(t, r.post(s.path(), track), 500, saysUnavailable)
	requireAnswer(t, r.post("/v1/segment/canary", track), 401, saysUnauthorized)

	again, err := embedded.StartBroker(embedded.BrokerConfig{Addr: addr, Dir: dir})
	require.NoError(t, err)
	t.Cleanup(again.Close)
	r.awaitReady()
	require.Eventually(t, func() bool { return r.post(s.path(), track).status == 200 }, patience, poll)
	require.GreaterOrEqual(t, len(r.records(ingest)), 2)
	r.requireNothingHeld()
	r.requireNoSecrets(r.written())
	r.end()
}
