package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Progress tells how far a group has come, of any brokers.
type Progress struct {
	group string
	kafka *kgo.Client
	admin *kadm.Client
}

// NewProgress watches a group at the brokers given. The caller has to Close it.
func NewProgress(group string, brokers ...string) (*Progress, error) {
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.MetadataMinAge(statePoll),
		kgo.DialTimeout(askPatience),
	)
	if err != nil {
		return nil, fmt.Errorf("watch group %s: %w", group, err)
	}
	return &Progress{group, kafka, kadm.NewClient(kafka)}, nil
}

// Close ends the watch.
func (p *Progress) Close() { p.kafka.Close() }

// Committed are the offsets of one topic before which the group is done, by partition.
func (p *Progress) Committed(ctx context.Context, topic string) (map[int32]int64, error) {
	fetched, err := p.admin.FetchOffsets(ctx, p.group)
	if err == nil {
		err = fetched.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", p.group, err)
	}
	committed := map[int32]int64{}
	for id, offset := range fetched[topic] {
		committed[id] = offset.At
	}
	return committed, nil
}

// Ends are the offsets of the next records of one topic, by partition.
func (p *Progress) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := p.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("read the ends of %s: %w", topic, err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}
