package stream

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// messages are some that have much in common, as a batch's have.
func messages(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"type":"track","event":"Order Completed","messageId":"m-%d","properties":{"revenue":%d.5}}`, i*i, i)
	}
	return b.Bytes()
}

// What is compressed here is what any client reads, from several goroutines at once.
func TestLZ4IsReadByTheClientsOwnReader(t *testing.T) {
	var c lz4Compressor
	reader := kgo.DefaultDecompressor()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for _, n := range []int{1, 50, 5000, 50_000} {
				want := messages(n + worker)
				var room bytes.Buffer
				packed, codec := c.Compress(&room, want)
				got, err := reader.Decompress(packed, codec)
				if err != nil || !bytes.Equal(want, got) {
					t.Errorf("%d messages come back otherwise: %v", n, err)
				}
			}
		})
	}
	all.Wait()
}

func TestCompressingAllocatesNothing(t *testing.T) {
	var c lz4Compressor
	var room bytes.Buffer
	from := messages(100)
	c.Compress(&room, from)
	// The pool may lose a writer to the garbage collector.
	require.Less(t, testing.AllocsPerRun(100, func() {
		room.Reset()
		c.Compress(&room, from)
	}), 5.0)
}

func BenchmarkCompress(b *testing.B) {
	theirs, err := kgo.DefaultCompressor(kgo.Lz4Compression())
	require.NoError(b, err)
	for name, c := range map[string]kgo.Compressor{"ours": &lz4Compressor{}, "the client's": theirs} {
		b.Run(name, func(b *testing.B) {
			from := messages(1000)
			var room bytes.Buffer
			b.SetBytes(int64(len(from)))
			b.ReportAllocs()
			for b.Loop() {
				room.Reset()
				c.Compress(&room, from)
			}
		})
	}
}
