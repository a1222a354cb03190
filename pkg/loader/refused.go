package loader

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// reasonRefused is for messages whose rows ClickHouse refuses although all others of their block are taken.
const reasonRefused = "refused_by_clickhouse"

// insertHalves inserts the rows from one to before another of a block that was refused for what is in it, by halves:
// the rows that are refused alone become dead letters, the rest is stored. The parts are the same whenever the block
// is made again, so each has a token of its own.
func (l *partitionWorker) insertHalves(c *insertBatch, rows warehouse.Block, from, to int, token string) error {
	if to-from == 1 {
		return l.insertPart(c, rows, from, to, token, func(why string) error { return l.addRefused(c, rows.Offset(from), why) })
	}
	middle := from + (to-from)/2
	for _, half := range [][2]int{{from, middle}, {middle, to}} {
		err := l.insertPart(c, rows, half[0], half[1], token, func(string) error { return l.insertHalves(c, rows, half[0], half[1], token) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *partitionWorker) insertPart(c *insertBatch, rows warehouse.Block, from, to int, token string, refused func(why string) error) error {
	err := l.retry("insert", func(ctx context.Context) error {
		return l.service.inserter.InsertRows(ctx, rows, from, to, fmt.Sprintf("%s/%d-%d", token, from, to))
	})
	if why, is := warehouse.RejectedRows(err); is {
		return refused(why)
	}
	return err
}

// addRefused makes a dead letter of the message at an offset, which is read once more. A dead letter that is refused
// stays in its topic, and is told of here: it would come back for ever.
func (l *partitionWorker) addRefused(c *insertBatch, offset int64, why string) error {
	if l.Topic == l.service.deps.Stream.Topics().DeadLetters {
		l.reportLost("ClickHouse refuses a dead letter, which stays in Kafka alone", offset, why)
		return nil
	}
	var e stream.Record
	err := l.retry("reread_refused", func(ctx context.Context) (err error) {
		if e, err = l.service.deps.Stream.Read(ctx, l.Partition, offset); errors.Is(err, stream.ErrGone) {
			e, err = stream.Record{}, nil
		}
		return err
	})
	switch {
	case err == nil && e.Product == nil:
		l.reportLost("ClickHouse refuses a message that is not in Kafka any more", offset, why)
	case err == nil:
		c.deadLetters = append(c.deadLetters, newDeadLetter(&e, reasonRefused, fmt.Errorf("message cannot be stored: ClickHouse refuses it for %s", why)))
	}
	return err
}

// reportLost tells of a message that cannot be kept anywhere else.
func (l *partitionWorker) reportLost(what string, offset int64, why string) {
	l.service.metrics.deadLetters.WithLabelValues(reasonRefused).Inc()
	l.service.deps.Log.Error(what, "partition", l.String(), "offset", offset, "because", why)
}
