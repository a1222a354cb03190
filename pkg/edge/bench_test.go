package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/pkg/connection"
)

// The parts that run for each request allocate nothing.
func TestHotPathAllocatesNothing(t *testing.T) {
	admit := &admission{maxBytes: 1 << 20, maxRequests: 1}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if admit.enter() && admit.reserveBytes(100) {
			admit.releaseBytes(100)
			admit.leave()
		}
	}), "admission")
	var c clock
	require.Zero(t, testing.AllocsPerRun(100, func() { c.reserve(10) }), "clock")
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = encodingOf(nil) }), "no encoding")

	r, _ := start(t)
	h := r.service.handler
	var ctx fasthttp.RequestCtx
	payload := h.webhook.payload()
	require.NoError(t, payload.Parse([]byte("["+track+"]"), h.limits))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		ctx.Response.Reset()
		stored{payload.Received(), payload.Accepted, payload.Ignored + payload.Invalid, nil}.write(&ctx)
		h.metrics.stored(payload, time.Millisecond)
	}), "the answer 200")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		ctx.Response.Reset()
		unauthorized.write(&ctx, "1")
	}), "the answer 401")
}

// benchmark sends the same request over many connections.
func benchmark(b *testing.B, addr, path, body string, connections int) {
	text := "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body
	var group sync.WaitGroup
	work := make(chan struct{}, connections)
	for range connections {
		c, err := net.Dial("tcp", addr)
		require.NoError(b, err)
		defer c.Close()
		group.Go(func() {
			reader := bufio.NewReader(c)
			for range work {
				if _, err := io.WriteString(c, text); err != nil {
					b.Error(err)
					continue
				}
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != http.StatusOK {
					b.Error(response, err)
					continue
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	group.Wait()
	b.StopTimer()
}

// bare is the least that could take the requests: no token, no checks, no limits.
func bare(b *testing.B, brokers string) string {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic(ingest), kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	require.NoError(b, err)
	b.Cleanup(client.Close)
	var failed atomic.Bool
	b.Cleanup(func() { require.False(b, failed.Load()) })
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		var messages []json.RawMessage
		if err := json.Unmarshal(ctx.PostBody(), &messages); err != nil {
			ctx.SetStatusCode(http.StatusBadRequest)
			return
		}
		records := make([]*kgo.Record, len(messages))
		for i, m := range messages {
			records[i] = &kgo.Record{Key: []byte("product"), Value: m}
		}
		var acknowledged sync.WaitGroup
		for _, record := range records { // ProduceSync would not linger
			acknowledged.Add(1)
			client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(true)
				}
				acknowledged.Done()
			})
		}
		acknowledged.Wait()
		fmt.Fprintf(ctx, `{"received":%d}`, len(messages))
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go server.Serve(l)
	b.Cleanup(func() { server.Shutdown() })
	return l.Addr().String()
}

func BenchmarkEdge(b *testing.B) {
	message := `{"type":"track","event":"Order Completed","messageId":"m0","userId":"u","timestamp":"2026-01-02T03:04:05Z","properties":{"revenue":12.5,"x":"` + strings.Repeat("x", 500) + `"}}`
	var batch []string
	for i := range 100 {
		batch = append(batch, strings.Replace(message, "m0", fmt.Sprint("m", i), 1))
	}
	for _, load := range []struct {
		name        string
		body        string
		connections int
	}{
		{"single", "[" + message + "]", 64},
		{"batch of 100", "[" + strings.Join(batch, ",") + "]", 16},
	} {
		b.Run(load.name+"/edge", func(b *testing.B) {
			r, _ := start(b, func(c *Config) { c.Producer.Linger = 2 * time.Millisecond })
			s := r.create(connection.CreateParams{})
			requireAnswer(b, r.post(s.path(), track), 200, accepted(1, 1, 0))
			benchmark(b, r.addr(), s.path(), load.body, load.connections)
		})
		b.Run(load.name+"/bare", func(b *testing.B) {
			r, _ := start(b)
			benchmark(b, bare(b, r.brokers), "/", load.body, load.connections)
		})
	}
}
