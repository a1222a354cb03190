package warehouse

import "github.com/millrace/millrace/pkg/column"

// DeadLetter is a message that could not become an event.
type DeadLetter struct {
	Origin           // of the dead letter's own record
	Reason, Detail   []byte
	OriginalRecord   []byte // topic/partition/offset of the accepted record; empty if there was none
	Message, Context []byte
}

var deadLetterColumns = []columnOf[DeadLetter]{
	lowCardinality("workspace_id", func(d *DeadLetter) []byte { return d.Workspace }),
	lowCardinality("product_id", func(d *DeadLetter) []byte { return d.Product }),
	lowCardinality("connection_id", func(d *DeadLetter) []byte { return d.Connection }),
	lowCardinality("source", func(d *DeadLetter) []byte { return d.Provider }),
	int64s("received_at", milliseconds, func(d *DeadLetter) int64 { return d.ReceivedAt / 1000 }),
	lowCardinality("reason", func(d *DeadLetter) []byte { return d.Reason }),
	text("detail", func(d *DeadLetter) []byte { return d.Detail }),
	text("message", func(d *DeadLetter) []byte { return d.Message }),
	text("context", func(d *DeadLetter) []byte { return d.Context }),
	text("origin", func(d *DeadLetter) []byte { return d.OriginalRecord }),
	lowCardinality("kafka_topic", func(d *DeadLetter) []byte { return []byte(d.Topic) }),
	int32s("kafka_partition", func(d *DeadLetter) int32 { return d.Partition }),
	int64s("kafka_offset", signed, func(d *DeadLetter) int64 { return d.Offset }),
}

// DeadLetters is a block of the table dead_letters.
type DeadLetters struct {
	rowBlock[DeadLetter]
	offset *column.Fixed
}

// NewDeadLetters returns an empty block.
func NewDeadLetters() *DeadLetters {
	d := &DeadLetters{rowBlock: newRowBlock("dead_letters", deadLetterColumns)}
	d.offset = columnNamed[*column.Fixed](&d.block, "kafka_offset")
	return d
}

// Offset returns the Kafka offset of a row's record.
func (b *DeadLetters) Offset(row int) int64 { return b.offset.Int64(row) }
