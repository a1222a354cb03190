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
		{"Kafka leader of the busiest partition killed", 2, 1, seconds(1, 5), kafkaResource, killNode(busiest)},
		{"Kafka node killed", 1, kafka.Size, seconds(1, 5), kafkaResource, killNode(anyNode)},
		{"Kafka node paused", 2, kafka.Size, seconds(3, 12), kafkaResource, pauseNode},
		{"two Kafka nodes killed", 1, kafka.Size, seconds(1, 3), kafkaResource, killTwo},
		{"Kafka followers paused, leader killed", 1, 1, seconds(1, 3), kafkaResource, killLeaderAlone},
		{"Kafka disk full", 1, 1, seconds(3, 8), kafkaResource, fillDisk},
	}
}

// kfakeKinds are the faults of the broker in this process.
func kfakeKinds() []kind {
	restart := func(sys *system, _ *fault) (func() error, error) {
		sys.brokers.stopKfake()
		return func() error { return sys.brokers.startKfake(sys.brokers.addr) }, nil
	}
	return []kind{{"broker stopped and started", 4, 1, seconds(.5, 4), kafkaResource, restart}}
}

type chooser func(*system, *fault) (*kafka.Node, error)

func anyNode(sys *system, f *fault) (*kafka.Node, error) {
	return sys.brokers.cluster.Nodes[f.target], nil
}

const queryTimeout = 10 * time.Second

// busiest returns the leader of the partition with the most events.
func busiest(sys *system, _ *fault) (*kafka.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	ends, err := sys.progress.Ends(ctx, ingest)
	if err != nil {
		return nil, err
	}
	most := int32(0)
	for id, end := range ends {
		if end > ends[most] {
			most = id
		}
	}
	return sys.brokers.cluster.Leader(ctx, ingest, most)
}

func killNode(choose chooser) faultFunc {
	return func(sys *system, f *fault) (func() error, error) {
		node, err := choose(sys, f)
		if err != nil {
			return nil, err
		}
		node.Kill()
		return node.Start, nil
	}
}

func pauseNode(sys *system, f *fault) (func() error, error) {
	node := sys.brokers.cluster.Nodes[f.target]
	return node.Continue, node.Pause()
}

func killTwo(sys *system, f *fault) (func() error, error) {
	first, second := sys.brokers.cluster.Nodes[f.target], sys.brokers.cluster.Nodes[(f.target+1)%kafka.Size]
	heal := func() error { return errors.Join(first.Start(), second.Start()) }
	first.Kill()
	second.Kill()
	return heal, nil
}

// killLeaderAlone pauses the followers, so that new records are on the leader alone, and then kills the leader. Records
// that only the leader acknowledged are lost.
func killLeaderAlone(sys *system, f *fault) (func() error, error) {
	leader, err := busiest(sys, f)
	if err != nil {
		return nil, err
	}
	var followers []*kafka.Node
	for _, n := range sys.brokers.cluster.Nodes {
		if n != leader {
			followers = append(followers, n)
			err = errors.Join(err, n.Pause())
		}
	}
	time.Sleep(1500 * time.Millisecond)
	leader.Kill()
	for _, n := range followers {
		err = errors.Join(err, n.Continue())
	}
	return leader.Start, err
}

// fillDisk usually ends the node: a broker without a writable folder stops.
func fillDisk(sys *system, _ *fault) (func() error, error) {
	node, disk := sys.brokers.cluster.Nodes[kafka.Size-1], &sys.brokers.disk
	heal := func() error {
		if err := disk.empty(node.Pid()); err != nil && disk.mounted {
			return err
		}
		// A node that still runs may have closed its folder.
		node.Kill()
		return node.Start()
	}
	return heal, disk.fill(node.Pid())
}
