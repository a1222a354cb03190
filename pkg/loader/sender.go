package loader

import (
	"context"
	"time"

	"github.com/millrace/millrace/pkg/attribution"
)

// sender stores the batches of one partition, each in the stages below. Their order is the delivery guarantee. First
// the range of offsets is prepared, so that the next owner makes the same block of it. Then the rows are inserted, then
// the dead letters are written, and only then the range is committed. Each stage is retried until it succeeds or the
// worker gives up; a batch that is not committed is still in the log.
type sender struct {
	*scope
	lag        *lag
	duplicates duplicateFilter
	blocks     blockInserter
}

func newSender(s *scope, lag *lag) *sender {
	return &sender{scope: s, lag: lag, duplicates: duplicateFilter{scope: s}, blocks: blockInserter{s}}
}

// stages are the names of the stages in metrics and traces, in order.
var stages = [...]string{"supersede", "deduplicate", "attribute", "prepare", "insert", "dead_letters", "commit"}

// send stores a batch. On an error nothing that follows may be committed.
func (s *sender) send(b *insertBatch) (err error) {
	defer s.completeAttribution(b, false)
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	trace := s.deps.Tracer.Block(&b.requests, s.partition.String(), b.records)
	defer func() { trace.End(err) }()
	var prepared preparedBatch
	var refused []deadLetter
	for i, stage := range [len(stages)]func() error{
		func() error { return s.duplicates.supersede(b) },
		func() error { return s.duplicates.drop(b) },
		func() error { return s.attribute(b) },
		func() (err error) { prepared, err = s.prepare(b); return err },
		func() (err error) {
			if refused, err = s.blocks.insert(prepared); err == nil {
				s.completeAttribution(b, b.recreated)
			}
			return err
		},
		func() error { return s.writeDeadLetters(append(prepared.deadLetters, refused...)) },
		func() error { return s.commit(prepared, refused) },
	} {
		start := time.Now()
		err := stage()
		trace.Stage(stages[i], start, err)
		if err != nil {
			return err
		}
		s.metrics.stages[i].Observe(time.Since(start).Seconds())
	}
	return nil
}

// attribute finds the users, organizations and conversations of the batch's events. Their memory must stay as it is
// until the attribution is completed.
func (s *sender) attribute(b *insertBatch) error {
	f, ok := b.rowBuilder.(*eventBuilder)
	if !ok || !f.hasRows() && len(f.observations) == 0 || !s.config.Attribution {
		return nil
	}
	b.attributed = attribution.Batch{Partition: s.partition, Events: f.borrow(), Observations: f.observations}
	return s.attribution.Resolve(s.ctx, &b.attributed)
}

// completeAttribution tells attribution that the rows are stored, or never will be.
func (s *sender) completeAttribution(b *insertBatch, recreated bool) {
	b.attributed.Rebuilt = recreated
	s.attribution.Complete(&b.attributed)
}

// prepare writes to the group's commit which range of offsets is one block. The batch must not change afterwards.
func (s *sender) prepare(b *insertBatch) (preparedBatch, error) {
	return b.prepared(), s.retry("prepare", func(ctx context.Context) error {
		switch {
		case commitsBeforeInsert:
			return s.consumer.Commit(ctx, s.partition, b.nextOffset)
		case insertsWithoutToken:
			return nil
		}
		return s.consumer.Prepare(ctx, s.partition, b.firstOffset, b.nextOffset)
	})
}

func (s *sender) commit(b preparedBatch, refused []deadLetter) error {
	err := s.retry("commit", func(ctx context.Context) error {
		return s.consumer.Commit(ctx, s.partition, b.nextOffset)
	})
	if err == nil {
		s.lag.committed(b.nextOffset)
		s.metrics.committed(s.partition, b, refused)
	}
	return err
}
