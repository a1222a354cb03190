package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sethvargo/go-retry"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// sendBatches takes the lane's chunks in order. The order within is what loses nothing and doubles nothing: first the note of
// which range is one block, then rows, then dead letters, and only then the commit that says all are done. Whatever fails is tried again until it
// works or the lane is given up; a chunk that was not committed is in the log still.
func (l *partitionWorker) sendBatches() {
	for c := range l.deliveries {
		l.sendBatch(c)
	}
}

// sendBatch stores a chunk and makes it ready to be filled again. Without success there is nothing to go
// on with: what comes behind it must not be committed.
func (l *partitionWorker) sendBatch(c *insertBatch) {
	l.sending.Store(true)
	defer func() {
		l.sending.Store(false)
		l.service.memory.release(c.bytes)
		c.attributed.Rebuilt = false
		l.service.attribution.Complete(&c.attributed)
		c.clear()
		l.free <- c
	}()
	if err := l.runStages(c); err != nil {
		if errors.Is(err, stream.ErrFenced) {
			l.service.fail(err)
		}
		l.cancel()
	}
}

// stages are what is done with a chunk, in this order; the first that fails ends it.
var stages = [...]struct {
	name string // in the metrics
	do   func(*partitionWorker, *insertBatch) error
}{
	{"replays", (*partitionWorker).supersede},
	{"resends", (*partitionWorker).dropDuplicates},
	{"attribution", (*partitionWorker).attribute},
	{"note", (*partitionWorker).prepare},
	{"insert", (*partitionWorker).insert},
	{"dead_letters", (*partitionWorker).writeDeadLetters},
	{"commit", (*partitionWorker).commit},
}

func (l *partitionWorker) runStages(c *insertBatch) (err error) {
	if l.ctx.Err() != nil {
		return l.ctx.Err()
	}
	block := l.service.deps.Tracer.Block(&c.requests, l.String(), c.records)
	defer func() { block.End(err) }()
	for i := range stages {
		start := time.Now()
		err := stages[i].do(l, c)
		block.Stage(stages[i].name, start, err)
		if err != nil {
			return err
		}
		l.service.metrics.stages[i].Observe(time.Since(start).Seconds())
	}
	return nil
}

func (l *partitionWorker) prepare(c *insertBatch) error {
	return l.retry("prepare", func(ctx context.Context) error { return l.prepareRange(ctx, c) })
}

// insert inserts the chunk's rows; from then on they are what attribution finds in the table.
func (l *partitionWorker) insert(c *insertBatch) error {
	if err := l.insertRows(c); err != nil {
		return err
	}
	c.attributed.Rebuilt = c.recreated
	l.service.attribution.Complete(&c.attributed)
	return nil
}

func (l *partitionWorker) commit(c *insertBatch) error {
	err := l.retry("commit", func(ctx context.Context) error { return l.service.consumer.Commit(ctx, l.Partition, c.nextOffset) })
	if err == nil {
		l.lag.committed(c.nextOffset)
		l.service.metrics.committed(l.Partition, c)
	}
	return err
}

// prepareRange notes down which range is one block.
func (l *partitionWorker) prepareRange(ctx context.Context, c *insertBatch) error {
	switch {
	case commitsFirst:
		return l.service.consumer.Commit(ctx, l.Partition, c.nextOffset)
	case forgetsBlocks:
		return nil
	}
	return l.service.consumer.Prepare(ctx, l.Partition, c.firstOffset, c.nextOffset)
}

// insertRows sends the rows. The token is the range of offsets and a checksum of the rows, so that a block whose
// answer was lost is written once, however often it is sent. Offsets alone would not do: those of a topic that
// was lost and made anew come a second time with other messages, and those of a replay with another mapping.
func (l *partitionWorker) insertRows(c *insertBatch) error {
	rows := c.block()
	if rows.Rows() == 0 {
		return nil
	}
	token := fmt.Sprintf("%s/%d-%d/%016x", l.Partition, c.firstOffset, c.nextOffset-1, rows.Checksum())
	if forgetsBlocks {
		token = uuid.NewString()
	}
	start := time.Now()
	err := l.insertShards(c, rows, token)
	if err == nil {
		l.service.metrics.inserted(rows.Rows(), rows.Bytes(), time.Since(start))
	}
	return err
}

// insertShards sends a block, or in a cluster each shard's rows of it: these at once, for each can fail and be refused by
// itself.
func (l *partitionWorker) insertShards(c *insertBatch, rows warehouse.Block, token string) error {
	parts, err := l.service.inserter.SplitByShard(l.ctx, rows) // never an error: lanes come when the shards are known
	if err != nil {
		return err
	}
	errs := make([]error, len(parts))
	insert := func(i int) {
		errs[i] = l.retry("insert", func(ctx context.Context) error { return l.service.inserter.Insert(ctx, parts[i], token) })
	}
	var others sync.WaitGroup
	for i := 1; i < len(parts); i++ {
		errs[i] = errPanic // unless it comes to its end
		others.Go(func() { l.recoverPanic("sending a block", func() { insert(i) }) })
	}
	insert(0)
	others.Wait()
	for i, part := range parts {
		if _, refused := warehouse.RejectedRows(errs[i]); refused {
			errs[i] = l.insertHalves(c, part, 0, part.Rows(), token)
		}
	}
	return cmp.Or(errs...)
}

// deadLettersPerWrite bounds the dead letters that are written, and after a failure written again, together.
const deadLettersPerWrite = 1000

// writeDeadLetters writes the chunk's dead letters to their topic.
func (l *partitionWorker) writeDeadLetters(c *insertBatch) error {
	for dead := range slices.Chunk(c.deadLetters, deadLettersPerWrite) {
		err := l.retry("dead_letters_write", func(ctx context.Context) error {
			out := l.service.producer.Begin(len(dead), nil)
			for i := range dead {
				d := &dead[i]
				letter := stream.DeadLetter{OriginalKind: d.originalKind, Reason: d.reason, Detail: d.detail, Origin: fmt.Sprintf("%s/%d", l.Partition, d.offset), ReplayOf: d.replayOf, Salt: d.salt}
				out.DeadLetter(&d.source, d.receivedAt, d.value, d.context, &letter)
			}
			return out.Send(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	retryMinDelay = 100 * time.Millisecond
	retryMaxDelay = 5 * time.Second
)

// retry tries until it works, the lane is given up, the group has moved on, or ClickHouse refuses the rows themselves.
func (l *partitionWorker) retry(operation string, try func(context.Context) error) error {
	return l.service.retry(l.ctx, l.Partition, operation, try)
}

func (s *Service) retry(ctx context.Context, p stream.Partition, operation string, try func(context.Context) error) error {
	backoff := retry.WithJitterPercent(20, retry.WithCappedDuration(retryMaxDelay, retry.NewExponential(retryMinDelay)))
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, stream.ErrFenced) {
			return err
		}
		if _, refused := warehouse.RejectedRows(err); refused {
			return err // it would be refused again
		}
		s.metrics.retries.WithLabelValues(operation).Inc()
		s.deps.Log.Warn("operation failed, retrying", "operation", operation, "partition", p.String(), "error", err)
		return retry.RetryableError(err)
	})
}
