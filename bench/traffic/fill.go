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
	fillEach    = 1000 // messages that are written together
	fillWriters = 8    // sets under way at once, so that none has to wait for the acknowledgement of another
)

// Workspace owns all products.
const Workspace = "default"

// Fill writes messages number 0 to n−1 to the ingest topic as an edge would: the same key and headers. done, if it is
// not nil, is told now and then how many are acknowledged. The receipt times are as the messages' own.
func Fill(ctx context.Context, client *stream.Client, c Config, n int, done func(int)) error {
	return fill(ctx, client, c, n, (*Writer).Append, done)
}

// FillUsers writes two messages of each of the first so many users, by their own id and by that of their browser, and with
// their address: whoever has read them knows them all. Their receipt is before that of Fill's messages.
func FillUsers(ctx context.Context, client *stream.Client, c Config, users int) error {
	c.Start = c.Start.Add(-time.Duration(2*users) * c.Every)
	return fill(ctx, client, c, 2*users, (*Writer).hello, nil)
}

func fill(ctx context.Context, client *stream.Client, c Config, n int, one func(*Writer, []byte, uint64) ([]byte, int), done func(int)) error {
	producer, err := client.NewProducer("fill", stream.ProducerConfig{
		Linger: 20 * time.Millisecond, ProduceTimeout: time.Minute, MaxProduceBufferBytes: 256 << 20, Compression: "lz4",
	})
	if err != nil {
		return err
	}
	defer producer.Close(context.WithoutCancel(ctx))
	var next, written atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range fillWriters {
		group.Go(func() error {
			f := filler{writer: New(c), one: one, config: c, producer: producer}
			for {
				first := int(next.Add(fillEach)) - fillEach
				if first >= n {
					return nil
				}
				last := min(first+fillEach, n)
				if err := f.write(ctx, first, last); err != nil {
					return fmt.Errorf("fill the topic: %w", err)
				}
				if sum := written.Add(int64(last - first)); done != nil {
					done(int(sum))
				}
			}
		})
	}
	return group.Wait()
}

type filler struct {
	writer   *Writer
	one      func(*Writer, []byte, uint64) (message []byte, product int)
	config   Config
	producer *stream.Producer
}

func (f *filler) write(ctx context.Context, first, last int) error {
	// The producer may hold on to the memory after Send, so each set has its own.
	all := make([]byte, 0, (last-first)*1024)
	out := f.producer.NewRequest(last-first, nil)
	for n := first; n < last; n++ {
		start := len(all)
		var product int
		all, product = f.one(f.writer, all, uint64(n))
		name := Product(product)
		source := stream.Source{Workspace: Workspace, Product: name, Connection: "c-" + name, Provider: stream.ProviderSegment}
		at := f.config.Start.Add(time.Duration(n) * f.config.Every).UnixMicro()
		out.AddEvent(&source, at, all[start:len(all):len(all)], nil)
	}
	return out.Send(ctx)
}
