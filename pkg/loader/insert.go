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

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// blockInserter inserts the blocks of one partition.
type blockInserter struct{ *scope }

// insert inserts a batch's rows, and returns dead letters for the rows that ClickHouse refuses. The deduplication token
// is the range of offsets and a checksum of the rows, so that a block is stored once, however often it is sent. Offsets
// alone are not enough: a recreated topic has the same offsets with other messages, and a replay may have another
// mapping.
func (s blockInserter) insert(b preparedBatch) (refused []deadLetter, err error) {
	if b.rows.Rows() == 0 {
		return nil, nil
	}
	token := fmt.Sprintf("%s/%d-%d/%016x", s.partition, b.firstOffset, b.nextOffset-1, b.rows.Checksum())
	if insertsWithoutToken {
		token = uuid.NewString()
	}
	start := time.Now()
	if refused, err = s.insertParts(b.rows, token); err == nil {
		s.metrics.inserted(b.rows.Rows(), b.rows.Bytes(), time.Since(start))
	}
	return refused, err
}

// insertParts inserts a block in parts: each shard's rows, and no more than a dozen months in each. Parts are
// independent: each insert can fail or be refused by itself.
func (s blockInserter) insertParts(rows warehouse.Block, token string) (refused []deadLetter, err error) {
	parts, err := s.inserter.Split(s.ctx, rows) // never an error: the shards are known before the first assignment
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(parts))
	insert := func(i int) {
		errs[i] = s.retry("insert", func(ctx context.Context) error { return s.inserter.Insert(ctx, parts[i], token) })
	}
	var others sync.WaitGroup
	for i := 1; i < len(parts); i++ {
		errs[i] = errPanic // until insert returns
		others.Go(func() { s.recoverPanic("sending a batch", func() { insert(i) }) })
	}
	insert(0)
	others.Wait()
	for i, part := range parts {
		if _, isRefusal := warehouse.RejectedRows(errs[i]); isRefusal {
			var some []deadLetter
			some, errs[i] = s.insertHalves(part, 0, part.Rows(), token)
			refused = append(refused, some...)
		}
	}
	return refused, cmp.Or(errs...)
}

// insertHalves inserts the rows [from, to) of a refused block in halves, down to single rows. Rows that are refused
// alone become dead letters. The halves are the same in every attempt, so each has a token of its own.
func (s blockInserter) insertHalves(rows warehouse.Block, from, to int, token string) (
	refused []deadLetter, err error,
) {
	if to-from == 1 {
		return s.insertRange(rows, from, to, token, func(cause string) ([]deadLetter, error) {
			return s.rereadRefused(rows.Offset(from), cause)
		})
	}
	middle := from + (to-from)/2
	for _, half := range [][2]int{{from, middle}, {middle, to}} {
		some, err := s.insertRange(rows, half[0], half[1], token, func(string) ([]deadLetter, error) {
			return s.insertHalves(rows, half[0], half[1], token)
		})
		if refused = slices.Concat(refused, some); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// insertRange inserts the rows [from, to). If ClickHouse refuses them, it returns what onRefusal returns.
func (s blockInserter) insertRange(rows warehouse.Block, from, to int, token string,
	onRefusal func(cause string) ([]deadLetter, error),
) ([]deadLetter, error) {
	err := s.retry("insert", func(ctx context.Context) error {
		return s.inserter.InsertRows(ctx, rows, from, to, fmt.Sprintf("%s/%d-%d", token, from, to))
	})
	if cause, isRefusal := warehouse.RejectedRows(err); isRefusal {
		return onRefusal(cause)
	}
	return nil, err
}

// reasonRefused is the reason code of messages whose rows ClickHouse refuses while it accepts the others of their
// block.
const reasonRefused = "refused_by_clickhouse"

// rereadRefused makes a dead letter of the message at an offset, which it reads from the log again. A refused dead
// letter stays in its topic and is logged: written again, it would be refused again.
func (s blockInserter) rereadRefused(offset int64, cause string) ([]deadLetter, error) {
	if s.partition.Topic == s.deps.Stream.Topics().DeadLetters {
		s.reportNotStored("ClickHouse refuses a dead letter, which stays in Kafka alone", offset, cause)
		return nil, nil
	}
	var e stream.Record
	err := s.retry("reread_refused", func(ctx context.Context) (err error) {
		if e, err = s.deps.Stream.Read(ctx, s.partition, offset); errors.Is(err, stream.ErrRecordDeleted) {
			e, err = stream.Record{}, nil
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case e.Product == nil:
		s.reportNotStored("ClickHouse refuses a message that is no longer in Kafka", offset, cause)
		return nil, nil
	}
	err = fmt.Errorf("message cannot be stored: ClickHouse refuses it for %s", cause)
	return []deadLetter{newDeadLetter(&e, reasonRefused, err)}, nil
}

func (s blockInserter) reportNotStored(what string, offset int64, cause string) {
	s.metrics.deadLetters.WithLabelValues(reasonRefused).Inc()
	s.deps.Log.Error(what, "partition", s.partition.String(), "offset", offset, "because", cause)
}
