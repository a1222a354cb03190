//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/bench/load"
	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/token"
)

const (
	edgeSenders   = 16
	edgeBatch     = 100
	edgeBodyBytes = 1 << 20 // maximum of a body
	readySeconds  = "s until ready"
)

// lowCost makes hashes of tokens cost nearly nothing, since a hundred thousand would take hours. The edge pays for each
// token once, before the measurement.
var lowCost = token.Cost{LogN: 1, R: 1, P: 1}

// edgeAt measures an edge that knows a connection for each product.
func (w *growth) edgeAt(ctx context.Context, p *point) (measure.Values, error) {
	w.runs++
	prefix := fmt.Sprintf("edge%d", w.runs)
	client, err := w.broker.Stream(prefix, p.partitions)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	connections := measure.Connections{Products: productNames(p.products), Cost: lowCost}
	key := token.NewKey()
	paths, err := connections.Create(ctx, client, key)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	edge, err := w.services(prefix).StartEdge(ctx, key, w.EdgeArgs...)
	if err != nil {
		return nil, err
	}
	defer edge.Stop()
	ready := time.Since(began)
	v, err := w.sendTo(ctx, edge, p, paths)
	if err != nil {
		return nil, err
	}
	v[readySeconds] = ready.Seconds()
	return v, nil
}

func (w *growth) sendTo(ctx context.Context, edge *measure.Service, p *point, paths []string) (measure.Values, error) {
	batch := edgeBatch
	if p.bytes > 0 {
		batch = max(1, min(batch, edgeBodyBytes/p.bytes))
	}
	n := max(edgeSenders, bodiesBytes/(int(p.meanBytes())*batch))
	bodies := traffic.New(w.pointTraffic(p)).Bodies(n, batch)
	m := meter{processes: map[string]int{cpuPerEvent: edge.Pid(), brokerPerEvent: w.broker.Pid()}}
	var others processorShares
	result, err := load.Run(ctx, load.Config{
		Addr: edge.HTTP, Connections: edgeSenders, Requests: requestsOf(bodies, indexInto(paths)),
		Warm: 2 * time.Second, For: w.For, NewIDs: newIDs(),
		Begin: func() { m.begin(); others = startShares() }, End: func() { m.end(); others = others.since() },
	})
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return nil, err
	}
	usage, err := edge.Usage()
	v := m.perEvent(result.Messages)
	addAnswers(v, result)
	others.add(v)
	v[mbPerSecond] = v[ifAlone] * p.meanBytes() / 1e6
	v[memoryMiB] = mib(usage.PeakBytes)
	return v, err
}
