//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/token"
)

const (
	edgeSenders = 16
	edgeBatch   = 100
	edgeBody    = 1 << 20 // bytes of a body at most
	readyAfter  = "s until ready"
)

// cheap hashes tokens at next to no cost: a hundred thousand of them would take hours otherwise. An edge that meets a
// token for the first time pays for it as it does for any: what is measured is after that.
var cheap = token.Cost{LogN: 1, R: 1, P: 1}

// edgeAt sends to an edge that knows a connection for each product.
func (w *ground) edgeAt(ctx context.Context, p *point) (measure.Values, error) {
	w.runs++
	prefix := fmt.Sprintf("edge%d", w.runs)
	client, err := w.broker.Stream(prefix, p.partitions)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	products := make([]string, p.products)
	for i := range products {
		products[i] = traffic.Product(i)
	}
	key := token.NewKey()
	paths, err := parts.ConnectAt(ctx, client, key, cheap, products...)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	edge, err := parts.StartEdge(ctx, w.common.Bin, filepath.Join(w.dir, prefix), w.broker, prefix, key, w.EdgeArgs...)
	if err != nil {
		return nil, err
	}
	defer edge.Stop()
	ready := time.Since(began)
	batch := edgeBatch
	if p.bytes > 0 {
		batch = max(1, min(batch, edgeBody/p.bytes))
	}
	bodies := traffic.New(w.traffic(p)).Bodies(max(edgeSenders, bodiesBytes/(int(p.mean())*batch)), batch)
	m := meter{processes: map[string]int{cpuPerEvent: edge.Pid(), brokerPerEvent: w.broker.Pid()}}
	var strange strangers
	result, err := load.Run(ctx, load.Config{Addr: edge.HTTP, Connections: edgeSenders, Requests: requestsOf(bodies, func(product int) string { return paths[product] }),
		Warm: 2 * time.Second, For: w.For, Fresh: uint64(time.Now().UnixNano()), Begin: func() { m.begin(); strange = watchStrangers() }, End: func() { m.end(); strange = strange.until() }})
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return nil, err
	}
	usage, err := edge.Usage()
	v := m.perEvent(result.Messages)
	v[eventsPerSecond] = result.MessagesPerSecond()
	strange.note(v)
	v[mbPerSecond] = v[alone] * p.mean() / 1e6
	v[p50], v[p99] = millis(result.Latency(50)), millis(result.Latency(99))
	v[memoryMiB], v[readyAfter] = float64(usage.PeakBytes)/(1<<20), ready.Seconds()
	return v, err
}
