package traffic

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/stream"
)

const (
	fillBatch   = 1000 // messages of one call to the producer
	fillWriters = 8    // concurrent batches, so that waiting for acknowledgements costs no time
)

// Workspace owns all products.
const Workspace = "default"

// Fill writes messages number 0 to n−1 to the ingest topic as an edge does, with the same key and headers. The receipt
// times are the messages' own times.
func Fill(ctx context.Context, client *stream.Client, c Config, n int) error {
	return fill(ctx, client, c, n, (*Writer).Append)
}

// FillUsers writes two messages of each of the first users, one with the user id and one with the anonymous id, both
// with the address. A loader that has read them knows these users. Their receipt times are before those of Fill's
// messages.
func FillUsers(ctx context.Context, client *stream.Client, c Config, users int) error {
	c.Start = c.Start.Add(-time.Duration(2*users) * c.Every)
	return fill(ctx, client, c, 2*users, (*Writer).hello)
}

// appendMessage appends message number n to b, and returns the number of its product.
type appendMessage func(w *Writer, b []byte, n uint64) (message []byte, product int)

func fill(ctx context.Context, client *stream.Client, c Config, n int, appendTo appendMessage) error {
	producer, err := client.NewProducer("fill", stream.ProducerConfig{
		Linger:                20 * time.Millisecond,
		ProduceTimeout:        time.Minute,
		MaxProduceBufferBytes: 256 << 20,
		Compression:           "lz4",
	})
	if err != nil {
		return err
	}
	defer producer.Close(context.WithoutCancel(ctx))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range fillWriters {
		group.Go(func() error {
			f := filler{writer: New(c), appendTo: appendTo, config: c, producer: producer}
			for {
				first := int(next.Add(fillBatch)) - fillBatch
				if first >= n {
					return nil
				}
				last := min(first+fillBatch, n)
				if err := f.write(ctx, first, last); err != nil {
					return fmt.Errorf("fill the topic: %w", err)
				}
			}
		})
	}
	return group.Wait()
}

type filler struct {
	writer   *Writer
	appendTo appendMessage
	config   Config
	producer *stream.Producer
}

func (f *filler) write(ctx context.Context, first, last int) error {
	// The producer may keep the memory after Send, so each batch has its own.
	all := make([]byte, 0, (last-first)*1024)
	out := f.producer.NewRequest(last-first, nil)
	for n := first; n < last; n++ {
		start := len(all)
		var product int
		all, product = f.appendTo(f.writer, all, uint64(n))
		name := Product(product)
		source := stream.Source{
			Workspace: Workspace, Product: name, Connection: "c-" + name, Provider: stream.ProviderSegment,
		}
		at := f.config.Start.Add(time.Duration(n) * f.config.Every).UnixMicro()
		out.AddEvent(&source, at, all[start:len(all):len(all)], nil)
	}
	return out.Send(ctx)
}
