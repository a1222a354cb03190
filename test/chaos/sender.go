//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Behaviour of a sender: it waits for an answer as long as Segment does, and retries a batch for a while.
const (
	answerTimeout = 10 * time.Second
	batchTimeout  = 45 * time.Second
	firstBackoff  = 250 * time.Millisecond
	lastBackoff   = 4 * time.Second
	maxInFlight   = 300 // requests; the sender skips more
)

// Composition of the load.
const (
	singles           = 0.3
	minBatch          = 10
	maxBatch          = 60
	meanBatch         = singles + (1-singles)*(minBatch+maxBatch)/2
	duplicateShare    = 0.03
	shiftShare        = 0.015
	maxDuplicateDelay = 20 * time.Second
	maxShifted        = 5 // maximum of a batch, since each costs a look-up
)

// sender sends the load.
type sender struct {
	seed        uint64
	rate        int // events a second
	ledger      *ledger
	edges       []*service
	connections []connection
	client      *http.Client

	inFlight chan struct{}
	wait     sync.WaitGroup
}

func newSender(sys *system) *sender {
	return &sender{
		seed: sys.cli.Seed, rate: sys.cli.Rate, ledger: sys.ledger, edges: sys.edges, connections: sys.connections,
		client:   &http.Client{Timeout: answerTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: maxInFlight}},
		inFlight: make(chan struct{}, maxInFlight),
	}
}

// run sends at the rate until ctx ends, and returns when each batch has its answer or its time-out.
func (s *sender) run(ctx context.Context) {
	random := rand.New(rand.NewPCG(s.seed, 1<<63))
	ticks := time.NewTicker(time.Duration(float64(time.Second) * meanBatch / float64(s.rate)))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			s.wait.Wait()
			return
		case <-ticks.C:
		}
		n := 1
		if random.Float64() >= singles {
			n = minBatch + random.IntN(maxBatch-minBatch+1)
		}
		d := delivery{
			sender: s, connection: random.IntN(len(s.connections)), n: n, edge: random.IntN(len(s.edges)),
			dice: random.Float64(), duplicateDelay: time.Duration(random.Int64N(int64(maxDuplicateDelay))),
		}
		select {
		case s.inFlight <- struct{}{}:
			d.first = s.ledger.open(d.connection, n)
			s.wait.Go(func() { d.run(ctx); <-s.inFlight })
		default:
		}
	}
}

// delivery is one batch, which some senders send twice.
type delivery struct {
	*sender
	connection, first, n, edge int
	dice                       float64
	duplicateDelay             time.Duration
}

func (d *delivery) run(ctx context.Context) {
	if !d.send(d.first, d.n, 0) {
		return
	}
	d.ledger.mark(d.first, d.n, acked)
	kind, shift, n := uint8(duplicated), time.Duration(0), d.n
	switch {
	case d.dice < duplicateShare:
	case d.dice < duplicateShare+shiftShare:
		kind, shift, n = shifted, timestampShift, min(n, maxShifted)
	default:
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d.duplicateDelay):
		d.ledger.mark(d.first, n, kind)
		d.send(d.first, n, shift)
	}
}

// send retries until an edge answers 200, and reports whether one did. It tries the edges in turn.
func (d *delivery) send(first, n int, shift time.Duration) bool {
	var body bytes.Buffer
	single := n == 1
	if !single {
		body.WriteString(`{"batch":[`)
	}
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		m := messageOf(d.seed, d.ledger.start, first+i)
		m.write(&body, d.seed, shift)
	}
	if !single {
		body.WriteString("]}")
	}
	deadline, backoff := time.Now().Add(batchTimeout), firstBackoff
	for {
		if d.post(body.Bytes(), n) {
			return true
		}
		d.ledger.mark(first, n, retried)
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(backoff)
		backoff = min(2*backoff, lastBackoff)
		d.edge = (d.edge + 1) % len(d.edges)
	}
}

func (d *delivery) post(body []byte, n int) bool {
	edge, begin := d.edges[d.edge], time.Now()
	url := edge.http + "/v1/segment/" + d.connections[d.connection].token
	response, err := d.client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		d.ledger.answer("none", "")
		return false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.ledger.answer("incomplete", "")
		return false
	}
	note := ""
	switch response.StatusCode {
	case http.StatusOK:
		want := fmt.Sprintf(`{"received":%d,"accepted":%d,"dropped":0}`, n, n)
		if strings.TrimSpace(string(text)) != want {
			note = fmt.Sprintf("%s answered %s to a batch of %d", edge.config.Name, text, n)
		}
		edge.answered(begin)
	case http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests:
	case http.StatusRequestTimeout: // the edge was paused while the request arrived
	default:
		note = fmt.Sprintf("%s answered %s: %s", edge.config.Name, response.Status, text)
	}
	d.ledger.answer(fmt.Sprint(response.StatusCode), note)
	return response.StatusCode == http.StatusOK
}
