package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// statePoll is how long to wait before the cluster is asked again.
const statePoll = 50 * time.Millisecond

// askPatience is for one node's answer: one that was killed or paused gives none.
const askPatience = time.Second

// Leader is the node that leads a partition, by what the nodes that answer say, at least one.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int32) (*Node, error) {
	var leader *Node
	err := c.await(ctx, func() error {
		for _, n := range c.Nodes {
			state, err := c.ask(ctx, n)
			if err != nil {
				continue
			}
			for _, p := range partitionsOf(state, topic) {
				if p.Partition == partition && p.Leader > 0 {
					leader = c.Nodes[p.Leader-1]
					return nil
				}
			}
		}
		return fmt.Errorf("no node names a leader of %s/%d", topic, partition)
	})
	return leader, err
}

// AwaitInSync returns when every node answers, knows all others and the topics named, and every replica of
// every partition it knows is in sync. A topic that was just made has to be named: at first no node but the
// controller knows it.
func (c *Cluster) AwaitInSync(ctx context.Context, topics ...string) error {
	return c.await(ctx, func() error {
		for _, n := range c.Nodes {
			state, err := c.ask(ctx, n)
			if err != nil {
				return err
			}
			if len(state.Brokers) != Size {
				return fmt.Errorf("node %d knows %d nodes", n.ID, len(state.Brokers))
			}
			for _, topic := range topics {
				if len(partitionsOf(state, topic)) == 0 {
					return fmt.Errorf("node %d does not know topic %s", n.ID, topic)
				}
			}
			if err := allInSync(state); err != nil {
				return err
			}
		}
		return nil
	})
}

func allInSync(state *kmsg.MetadataResponse) error {
	for _, topic := range state.Topics {
		for _, p := range topic.Partitions {
			if p.Leader < 0 || len(p.ISR) != len(p.Replicas) {
				return fmt.Errorf("%s/%d is led by %d and in sync on %v of %v", *topic.Topic, p.Partition, p.Leader, p.ISR, p.Replicas)
			}
		}
	}
	return nil
}

// await asks until there is no error, and returns the last one when ctx ends first.
func (c *Cluster) await(ctx context.Context, met func() error) error {
	for {
		err := met()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(statePoll):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// ask is one node's own view of the cluster.
func (c *Cluster) ask(ctx context.Context, n *Node) (*kmsg.MetadataResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	request := kmsg.NewPtrMetadataRequest() // of all topics
	answer, err := c.kafka.SeedBrokers()[n.ID-1].Request(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("ask node %d: %w", n.ID, err)
	}
	state := answer.(*kmsg.MetadataResponse)
	for _, topic := range state.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("ask node %d: %w", n.ID, err)
		}
	}
	return state, nil
}

func partitionsOf(state *kmsg.MetadataResponse, name string) []kmsg.MetadataResponseTopicPartition {
	for _, topic := range state.Topics {
		if *topic.Topic == name {
			return topic.Partitions
		}
	}
	return nil
}
