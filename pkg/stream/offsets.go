package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Position is a place in a partition.
type Position struct {
	Partition
	Offset int64
}

// OffsetRange is a run of a partition's records: from From on, up to and without Until.
type OffsetRange struct {
	Partition
	From, Until int64
}

// ReplayRange says which part of the log is meant. The times are those at which records were written.
type ReplayRange struct {
	Topics  []string
	From    time.Time  // zero: from the first record that is still there
	Offsets []Position // instead of Topics and From: these partitions, from there on
	Until   time.Time  // zero: up to the present end
}

func (r *ReplayRange) topics() []string {
	if len(r.Offsets) == 0 {
		return r.Topics
	}
	var topics []string
	for _, p := range r.Offsets {
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	return topics
}

// OffsetRanges finds what is within reach now. Partitions in which nothing is are left out.
func (c *Client) OffsetRanges(ctx context.Context, r *ReplayRange) ([]OffsetRange, error) {
	topics := r.topics()
	first, err := c.listOffsets(ctx, time.Time{}, c.admin.ListStartOffsets, topics)
	if err != nil {
		return nil, err
	}
	ends, err := c.listOffsets(ctx, r.Until, c.admin.ListEndOffsets, topics)
	if err != nil {
		return nil, err
	}
	if len(r.Offsets) > 0 {
		return rangesFrom(r, first, ends)
	}
	begins, err := c.listOffsets(ctx, r.From, c.admin.ListStartOffsets, topics)
	if err != nil {
		return nil, err
	}
	var spans []OffsetRange
	begins.Each(func(begin kadm.ListedOffset) {
		p := Partition{begin.Topic, begin.Partition}
		spans = appendRange(spans, OffsetRange{p, begin.Offset, offsetIn(ends, p)})
	})
	sortRanges(spans)
	return spans, nil
}

// listOffsets is where the records written at a time or later begin in each partition, or where otherwise says if it is
// zero.
func (c *Client) listOffsets(
	ctx context.Context,
	at time.Time,
	otherwise func(context.Context, ...string) (kadm.ListedOffsets, error),
	topics []string,
) (kadm.ListedOffsets, error) {
	ask := otherwise
	if !at.IsZero() {
		ask = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return c.admin.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topics...)
		}
	}
	listed, err := ask(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the offsets of %v: %w", topics, err)
	}
	return listed, nil
}

func offsetIn(listed kadm.ListedOffsets, p Partition) int64 {
	offset, _ := listed.Lookup(p.Topic, p.ID)
	return offset.Offset
}

func rangesFrom(r *ReplayRange, first, ends kadm.ListedOffsets) (spans []OffsetRange, err error) {
	for _, p := range r.Offsets {
		start, ok := first.Lookup(p.Topic, p.ID)
		end := offsetIn(ends, p.Partition)
		switch {
		case !ok:
			return nil, fmt.Errorf(
				"%s has no partition %d: it has those from 0 to %d",
				p.Topic,
				p.ID,
				len(first[p.Topic])-1,
			)
		case p.Offset < start.Offset:
			return nil, fmt.Errorf(
				"%s begins at offset %d, and %d is not kept any more: the least that can be asked for is %d:%d",
				p.Partition,
				start.Offset,
				p.Offset,
				p.ID,
				start.Offset,
			)
		case p.Offset > end && r.Until.IsZero():
			return nil, fmt.Errorf("%s has no offset %d: it ends at %d", p.Partition, p.Offset, end)
		case slices.ContainsFunc(spans, func(s OffsetRange) bool { return s.Partition == p.Partition }):
			return nil, fmt.Errorf("%s is named twice", p.Partition)
		}
		spans = appendRange(spans, OffsetRange{p.Partition, p.Offset, end})
	}
	sortRanges(spans)
	return spans, nil
}

// OffsetRangesOf are runs that have all of the positions which the log still has, one of each partition.
func (c *Client) OffsetRangesOf(ctx context.Context, positions []Position) ([]OffsetRange, error) {
	if len(positions) == 0 {
		return nil, nil
	}
	topics := (&ReplayRange{Offsets: positions}).topics()
	first, err := c.listOffsets(ctx, time.Time{}, c.admin.ListStartOffsets, topics)
	if err != nil {
		return nil, err
	}
	ends, err := c.listOffsets(ctx, time.Time{}, c.admin.ListEndOffsets, topics)
	if err != nil {
		return nil, err
	}
	byPartition := map[Partition]OffsetRange{}
	for _, p := range positions {
		if p.Offset < offsetIn(first, p.Partition) || p.Offset >= offsetIn(ends, p.Partition) {
			continue // deleted with age
		}
		s, known := byPartition[p.Partition]
		if !known {
			s = OffsetRange{p.Partition, p.Offset, p.Offset + 1}
		}
		byPartition[p.Partition] = OffsetRange{p.Partition, min(s.From, p.Offset), max(s.Until, p.Offset+1)}
	}
	spans := slices.Collect(maps.Values(byPartition))
	sortRanges(spans)
	return spans, nil
}

func appendRange(spans []OffsetRange, s OffsetRange) []OffsetRange {
	if s.From >= s.Until {
		return spans
	}
	return append(spans, s)
}

func sortRanges(spans []OffsetRange) {
	slices.SortFunc(spans, func(a, b OffsetRange) int { return a.compare(b.Partition) })
}
