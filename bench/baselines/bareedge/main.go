// Command bareedge is the minimum that can take the edge's requests. It splits a body into messages, writes them to
// Kafka with the last part of the path as the key, and answers 200 when all in-sync replicas have them. It has no
// tokens, no checks of messages, no limits, no headers and no metrics.
package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-json"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/cli"
)

type flags struct {
	HTTP    string        `required:"" help:"Address that takes events."`
	Brokers string        `required:"" help:"A Kafka broker."`
	Topic   string        `required:"" help:"Topic to write to."`
	Linger  time.Duration `default:"2ms" help:"How long a record may wait for others."`
}

func main() {
	var c flags
	const description = "Writes posted messages to Kafka, with nothing else."
	cli.Main(&c, "bareedge", description, func(ctx context.Context, _ *kong.Context) error { return c.run(ctx) })
}

func (c *flags) run(ctx context.Context) error {
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(c.Brokers),
		kgo.DefaultProduceTopic(c.Topic),
		kgo.ProducerLinger(c.Linger),
		kgo.RequiredAcks(
			kgo.AllISRAcks(),
		),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MaxBufferedRecords(4<<20),
	)
	if err != nil {
		return err
	}
	defer kafka.Close()
	server := &fasthttp.Server{Handler: handler{kafka}.serve, MaxRequestBodySize: 8 << 20}
	context.AfterFunc(ctx, func() { _ = server.Shutdown() }) // the process ends
	return server.ListenAndServe(c.HTTP)
}

type handler struct{ kafka *kgo.Client }

func (h handler) serve(ctx *fasthttp.RequestCtx) {
	messages, err := split(ctx.PostBody())
	if err != nil {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	if !h.store(ctx.Path(), messages) {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(ctx, `{"received":%d}`, len(messages))
}

// split copies the messages: go-json's RawMessage has its own memory.
func split(body []byte) ([]json.RawMessage, error) {
	var batch struct{ Batch []json.RawMessage }
	if err := json.Unmarshal(body, &batch); err != nil || batch.Batch != nil {
		return batch.Batch, err
	}
	return []json.RawMessage{append([]byte(nil), body...)}, nil
}

func (h handler) store(path []byte, messages []json.RawMessage) bool {
	key := []byte(string(path[strings.LastIndexByte(string(path), '/')+1:]))
	var failed atomic.Bool
	var acknowledged sync.WaitGroup
	acknowledged.Add(len(messages))
	records := make([]kgo.Record, len(messages))
	for i, m := range messages { // ProduceSync would not linger
		records[i] = kgo.Record{Key: key, Value: m}
		h.kafka.Produce(context.Background(), &records[i], func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(true)
			}
			acknowledged.Done()
		})
	}
	acknowledged.Wait()
	return !failed.Load()
}
