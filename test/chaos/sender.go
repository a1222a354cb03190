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

// How a sender behaves: it gives up on an answer as Segment does, and on a batch after some more attempts.
const (
	answerPatience = 10 * time.Second
	batchPatience  = 45 * time.Second
	firstBackoff   = 250 * time.Millisecond
	lastBackoff    = 4 * time.Second
	mostUnderWay   = 300 // requests; more is a load that the machine cannot bear
)

// What a load is made of. meanBatch follows from the first three.
const (
	singles         = 0.3
	leastBatch      = 10
	mostBatch       = 60
	meanBatch       = singles + (1-singles)*(leastBatch+mostBatch)/2
	resendShare     = 0.03
	shiftShare      = 0.015
	resendLatest    = 20 * time.Second
	shiftedBatchMax = 5 // only so many of a batch come with another time: each is a look-up
)

// sender is the load.
type sender struct {
	seed        uint64
	rate        int // events a second
	ledger      *ledger
	edges       []*part
	connections []connection
	client      *http.Client

	underWay chan struct{}
	wait     sync.WaitGroup
}

func newSender(w *world) *sender {
	return &sender{
		seed: w.cli.Seed, rate: w.cli.Rate, ledger: w.ledger, edges: w.edges, connections: w.connections,
		client:   &http.Client{Timeout: answerPatience, Transport: &http.Transport{MaxIdleConnsPerHost: mostUnderWay}},
		underWay: make(chan struct{}, mostUnderWay),
	}
}

// run sends at the rate until ctx ends, and returns when every batch has its answer or was given up.
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
			n = leastBatch + random.IntN(mostBatch-leastBatch+1)
		}
		d := delivery{sender: s, connection: random.IntN(len(s.connections)), n: n, edge: random.IntN(len(s.edges)), luck: random.Float64(), later: time.Duration(random.Int64N(int64(resendLatest)))}
		select {
		case s.underWay <- struct{}{}:
			d.first = s.ledger.open(d.connection, n)
			s.wait.Go(func() { d.run(ctx); <-s.underWay })
		default:
		}
	}
}

// delivery is one batch on its way, and perhaps once more.
type delivery struct {
	*sender
	connection, first, n, edge int
	luck                       float64
	later                      time.Duration
}

func (d *delivery) run(ctx context.Context) {
	if !d.send(d.first, d.n, 0) {
		return
	}
	d.ledger.mark(d.first, d.n, acked)
	again, shift, n := uint8(resent), time.Duration(0), d.n
	switch {
	case d.luck < resendShare:
	case d.luck < resendShare+shiftShare:
		again, shift, n = shifted, moved, min(n, shiftedBatchMax)
	default:
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d.later):
		d.ledger.mark(d.first, n, again)
		d.send(d.first, n, shift)
	}
}

// send tries until there is a 200, one edge after the other.
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
		m.append(&body, d.seed, shift)
	}
	if !single {
		body.WriteString("]}")
	}
	deadline, backoff := time.Now().Add(batchPatience), firstBackoff
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
	response, err := d.client.Post(edge.http+"/v1/segment/"+d.connections[d.connection].token, "application/json", bytes.NewReader(body))
	if err != nil {
		d.ledger.answer("none", "")
		return false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.ledger.answer("broken off", "")
		return false
	}
	note := ""
	switch response.StatusCode {
	case http.StatusOK:
		if want := fmt.Sprintf(`{"received":%d,"accepted":%d,"dropped":0}`, n, n); strings.TrimSpace(string(text)) != want {
			note = fmt.Sprintf("%s answered %s to a batch of %d", edge.name, text, n)
		}
		edge.answered(begin)
	case http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests:
	case http.StatusRequestTimeout: // of an edge that was stopped while the request arrived
	default:
		note = fmt.Sprintf("%s answered %s: %s", edge.name, response.Status, text)
	}
	d.ledger.answer(fmt.Sprint(response.StatusCode), note)
	return response.StatusCode == http.StatusOK
}
