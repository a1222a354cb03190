//go:build linux

package main

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/test/env/kafka"
)

// brokerKinds are the faults of a cluster, one at a time.
func brokerKinds() []kind {
	return []kind{
		{"Kafka leader of the busiest partition killed", 2, 1, time.Second, 5 * time.Second, "kafka", backLoading, killNode(busiest), brokersSettle},
		{"Kafka node killed", 1, kafka.Size, time.Second, 5 * time.Second, "kafka", backLoading, killNode(anyNode), brokersSettle},
		{"Kafka node stopped in its tracks", 2, kafka.Size, 3 * time.Second, 12 * time.Second, "kafka", backLoading, stopNode, brokersSettle},
		{"two Kafka nodes killed", 1, kafka.Size, time.Second, 3 * time.Second, "kafka", backLoading, killTwo, brokersSettle},
		{"Kafka followers stopped, leader killed", 1, 1, time.Second, 3 * time.Second, "kafka", backLoading, orphan, brokersSettle},
		{"Kafka disk full", 1, 1, 3 * time.Second, 8 * time.Second, "kafka", backLoading, fillDisk, brokersSettle},
	}
}

// fakeKinds are what the broker in this process can suffer.
func fakeKinds() []kind {
	return []kind{{"broker stopped and started", 4, 1, 500 * time.Millisecond, 4 * time.Second, "kafka", backLoading, func(w *world, _ *fault) (func() error, error) {
		w.brokers.stopFake()
		return func() error { return w.brokers.startFake(w.brokers.addr) }, nil
	}, nil}}
}

type chooser func(*world, *fault) (*kafka.Node, error)

func anyNode(w *world, f *fault) (*kafka.Node, error) {
	return w.brokers.cluster.Nodes[f.target], nil
}

const askPatience = 10 * time.Second

// busiest leads the partition with the most events.
func busiest(w *world, _ *fault) (*kafka.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	ends, err := w.progress.Ends(ctx, ingest)
	if err != nil {
		return nil, err
	}
	most := int32(0)
	for id, end := range ends {
		if end > ends[most] {
			most = id
		}
	}
	return w.brokers.cluster.Leader(ctx, ingest, most)
}

func killNode(choose chooser) faultFunc {
	return func(w *world, f *fault) (func() error, error) {
		node, err := choose(w, f)
		if err != nil {
			return nil, err
		}
		return node.Start, node.Kill()
	}
}

func stopNode(w *world, f *fault) (func() error, error) {
	node := w.brokers.cluster.Nodes[f.target]
	return node.Continue, node.Pause()
}

func killTwo(w *world, f *fault) (func() error, error) {
	first, second := w.brokers.cluster.Nodes[f.target], w.brokers.cluster.Nodes[(f.target+1)%kafka.Size]
	return func() error { return errors.Join(first.Start(), second.Start()) }, errors.Join(first.Kill(), second.Kill())
}

// orphan leaves a leader alone with what its followers do not have, for as long as an edge trusts what it knows
// and somewhat longer, and then kills it: what was acknowledged by the leader alone is lost.
func orphan(w *world, f *fault) (func() error, error) {
	leader, err := busiest(w, f)
	if err != nil {
		return nil, err
	}
	var followers []*kafka.Node
	for _, n := range w.brokers.cluster.Nodes {
		if n != leader {
			followers = append(followers, n)
			err = errors.Join(err, n.Pause())
		}
	}
	time.Sleep(1500 * time.Millisecond)
	err = errors.Join(err, leader.Kill())
	for _, n := range followers {
		err = errors.Join(err, n.Continue())
	}
	return leader.Start, err
}

// fillDisk ends the node, as a rule: a broker without a folder to write to stops.
func fillDisk(w *world, _ *fault) (func() error, error) {
	node, disk := w.brokers.cluster.Nodes[kafka.Size-1], &w.brokers.disk
	heal := func() error {
		if err := disk.clean(node.Pid()); err != nil && disk.mounted {
			return err
		}
		// One that still runs may have given its folder up.
		return errors.Join(node.Kill(), node.Start())
	}
	return heal, disk.fill(node.Pid())
}
