// Command load posts Segment messages to a URL as fast as it is answered, and says how fast that was.
//
// It is a closed loop: each connection sends its next request when the last one is answered, so its
// latencies are those under that load and no better.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/pkg/program"
)

type cli struct {
	URL         string        `arg:"" help:"Where to post, with its token."`
	Connections int           `help:"Connections, each with one request at a time." default:"16"`
	Batch       int           `help:"Messages in a request." default:"100"`
	For         time.Duration `help:"How long to send." default:"15s"`
	Seed        uint64        `help:"Seed of the messages' contents; ids differ by it too." default:"1"`
}

func main() {
	var c cli
	program.Main(&c, "load", "Posts Segment messages as fast as they are answered.", func(ctx context.Context, _ *kong.Context) error { return c.run(ctx) })
}

// tally is what one connection has seen.
type tally struct {
	accepted, requests int
	refused            map[string]int
	latencies          []time.Duration
}

func (c *cli) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.Connections, MaxConnsPerHost: c.Connections}}
	tallies := make([]tally, c.Connections)
	start := time.Now()
	var wait sync.WaitGroup
	for i := range tallies {
		wait.Go(func() { c.send(ctx, client, uint64(i), &tallies[i]) })
	}
	wait.Wait()
	report(tallies, time.Since(start))
	return nil
}

func (c *cli) send(ctx context.Context, client *http.Client, worker uint64, t *tally) {
	random := rand.New(rand.NewPCG(c.Seed, worker))
	users := rand.NewZipf(random, 1.1, 10, 100_000)
	t.refused = map[string]int{}
	var body bytes.Buffer
	for ctx.Err() == nil {
		body.Reset()
		fill(&body, random, users, c.Batch)
		start := time.Now()
		// Not ctx: a request that is under way at the end is waited for, or its events would be unaccounted for.
		response, err := client.Post(c.URL, "application/json", &body)
		if err != nil {
			t.refused["no answer"]++
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body) // only so that the connection is used again
		_ = response.Body.Close()
		t.requests++
		if response.StatusCode != http.StatusOK {
			t.refused[response.Status]++
			continue
		}
		t.accepted += c.Batch
		t.latencies = append(t.latencies, time.Since(start))
	}
}

// fill writes a batch of messages as analytics.js makes them: some 700 bytes each.
func fill(body *bytes.Buffer, random *rand.Rand, users *rand.Zipf, n int) {
	body.WriteByte('[')
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		user, cents := users.Uint64(), random.IntN(50_000)
		fmt.Fprintf(body, `{"type":"track","event":%q,"userId":"user_%d","messageId":"ajs-next-%016x%016x","timestamp":%q,`+
			`"context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","library":{"name":"analytics.js","version":"2.1.0"},`+
			`"page":{"path":"/checkout/%d","title":"Checkout","url":"https://shop.example.com/checkout"},"traits":{"email":"user%d@example.com","name":"User Number %d"},"groupId":"org_%d"},`+
			`"properties":{"revenue":%d.%02d,"currency":"USD","plan":"pro","products":[{"sku":"A-%d","price":19.5,"quantity":2},{"sku":"B-2","price":10}]}}`,
			names[cents%len(names)], user, random.Uint64(), random.Uint64(), time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
			cents%13, user, user, user%97, cents/100, cents%100, cents%101)
	}
	body.WriteByte(']')
}

var names = []string{"Order Completed", "Signed Up", "Product Viewed", "Checkout Started", "Trial Started", "Payment Failed"}

func report(tallies []tally, took time.Duration) {
	var accepted, requests int
	refused := map[string]int{}
	var latencies []time.Duration
	for i := range tallies {
		t := &tallies[i]
		accepted += t.accepted
		requests += t.requests
		latencies = append(latencies, t.latencies...)
		for why, n := range t.refused {
			refused[why] += n
		}
	}
	slices.Sort(latencies)
	fmt.Printf("%d events accepted in %s: %.0f events/s, %.0f requests/s\n", accepted, took.Round(time.Millisecond), float64(accepted)/took.Seconds(), float64(requests)/took.Seconds())
	if len(latencies) > 0 {
		at := func(share float64) time.Duration {
			return latencies[int(share*float64(len(latencies)-1))].Round(10 * time.Microsecond)
		}
		fmt.Printf("latency p50 %s, p99 %s, max %s\n", at(.5), at(.99), at(1))
	}
	for why, n := range refused {
		fmt.Printf("not accepted: %d requests, %s\n", n, why)
	}
}
