package warehouse

// DeadLetter is one message that could not become an event.
type DeadLetter struct {
	Origin                         // of the dead letter itself
	Reason, Detail, OriginalRecord []byte
	Message, Context               []byte
}

// DeadLetters is a block of the dead_letters table.
type DeadLetters struct {
	block

	workspace, product, connection, source *dictionary
	receivedAt                             *fixed
	reason                                 *dictionary
	detail, message, context, origin       *text
	topic                                  *dictionary
	partition, offset                      *fixed
}

// NewDeadLetters makes an empty block.
func NewDeadLetters() *DeadLetters {
	d := &DeadLetters{block: block{table: "dead_letters"}}
	d.workspace = d.addDictionary("workspace_id", false)
	d.product = d.addDictionary("product_id", false)
	d.connection = d.addDictionary("connection_id", false)
	d.source = d.addDictionary("source", false)
	d.receivedAt = d.addFixed("received_at", dateTime64, 8)
	d.reason = d.addDictionary("reason", false)
	d.detail = d.addText("detail")
	d.message = d.addText("message")
	d.context = d.addText("context")
	d.origin = d.addText("origin")
	d.topic = d.addDictionary("kafka_topic", false)
	d.partition = d.addFixed("kafka_partition", "Int32", 4)
	d.offset = d.addFixed("kafka_offset", "Int64", 8)
	return d
}

// Append adds a dead letter. What it aliases is copied.
func (b *DeadLetters) Append(d *DeadLetter) {
	b.workspace.put(d.Workspace)
	b.product.put(d.Product)
	b.connection.put(d.Connection)
	b.source.put(d.Provider)
	b.receivedAt.put64(uint64(d.ReceivedAt / 1000))
	b.reason.put(d.Reason)
	b.detail.put(d.Detail)
	b.message.put(d.Message)
	b.context.put(d.Context)
	b.origin.put(d.OriginalRecord)
	b.topic.put([]byte(d.Topic))
	b.partition.put32(uint32(d.Partition))
	b.offset.put64(uint64(d.Offset))
}

// Offset is where the message of a row stands in its partition.
func (b *DeadLetters) Offset(row int) int64 { return b.offset.get64(row) }
