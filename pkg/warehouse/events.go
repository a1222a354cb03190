package warehouse

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/pkg/column"
	"github.com/millrace/millrace/pkg/mapping"
)

// Origin says where the record of a row came from.
type Origin struct {
	Workspace, Product, Connection, Provider []byte
	ReceivedAt                               int64 // Unix microseconds
	Topic                                    string
	Partition                                int32
	Offset                                   int64
}

// eventRow is what a row of events is made of.
type eventRow struct {
	*mapping.Event
	*Origin
	topic []byte // Origin.Topic
}

// eventColumns declares the columns of the table events: a block has them in this order, an insert and a revision name
// them, and a test compares them with the migrations. The derived columns come last: a block gets their values when it
// is complete.
var eventColumns = []columnOf[eventRow]{
	lowCardinality("workspace_id", func(r *eventRow) []byte { return r.Workspace }),
	lowCardinality("product_id", func(r *eventRow) []byte { return r.Product }),
	lowCardinality("connection_id", func(r *eventRow) []byte { return r.Connection }),
	lowCardinality("source", func(r *eventRow) []byte { return r.Provider }),
	text("insert_id", func(r *eventRow) []byte { return r.InsertID }),
	enum("message_type", messageTypes, func(r *eventRow) uint8 { return uint8(r.MessageType) }),
	lowCardinality("event_type", func(r *eventRow) []byte { return r.EventType }),
	nullableLowCardinality("source_event", func(r *eventRow) []byte { return r.SourceEvent }),
	int64s("event_at", milliseconds, func(r *eventRow) int64 { return r.EventAt }),
	enum("event_at_source", timeSources, func(r *eventRow) uint8 { return uint8(r.EventAtSource) }),
	int64s("event_key_at", milliseconds, func(r *eventRow) int64 { return KeyTime(r.Event) }),
	int64s("received_at", milliseconds, func(r *eventRow) int64 { return r.ReceivedAt / 1000 }),
	nullableText("external_user_id", func(r *eventRow) []byte { return r.ExternalUserID }),
	nullableText("user_email", func(r *eventRow) []byte { return r.UserEmail }),
	nullableText("user_name", func(r *eventRow) []byte { return r.UserName }),
	nullableText("external_organization_id", func(r *eventRow) []byte { return r.ExternalOrganizationID }),
	nullableText("organization_name", func(r *eventRow) []byte { return r.OrganizationName }),
	nullableText("external_conversation_id", func(r *eventRow) []byte { return r.ExternalConversationID }),
	enum("influence", influences, func(r *eventRow) uint8 { return uint8(r.Influence) }),
	other("quality_impact_score", newNullable("Float64", 8), func(c *column.NullableFixed, r *eventRow) {
		c.AppendFlag(r.HasScore)
		c.Values.Append64(math.Float64bits(r.Score))
	}),
	other("value", newNullable("Decimal(38, 18)", 16), func(c *column.NullableFixed, r *eventRow) {
		c.AppendFlag(r.HasValue)
		c.Values.Append128(r.Value.Low, uint64(r.Value.High))
	}),
	other("value_type", newNullable(enumType(valueTypes), 1), func(c *column.NullableFixed, r *eventRow) {
		c.AppendFlag(r.ValueType != mapping.NoValue)
		c.Values.Append8(uint8(r.ValueType))
	}),
	nullableText("value_text", func(r *eventRow) []byte { return r.ValueText }),
	lowCardinality("currency", func(r *eventRow) []byte { return r.Currency }),
	text("properties", func(r *eventRow) []byte { return r.Properties }),
	lowCardinality("kafka_topic", func(r *eventRow) []byte { return r.topic }),
	int32s("kafka_partition", func(r *eventRow) int32 { return r.Partition }),
	int64s("kafka_offset", signed, func(r *eventRow) int64 { return r.Offset }),
	int64s("version", unsigned, func(r *eventRow) int64 { return int64(Version(r.ReceivedAt)) }),
	derivedUUID[eventRow]("user_id"),
	derivedUUID[eventRow]("organization_id"),
	derivedUUID[eventRow]("conversation_id"),
}

const derivedEventColumns = 3

// The names of the enumerations: the first has the value 1.
var (
	messageTypes = []fmt.Stringer{mapping.Track, mapping.Page, mapping.Screen, mapping.API}
	timeSources  = []fmt.Stringer{
		mapping.FromTimestamp,
		mapping.FromOriginalTimestamp,
		mapping.FromSentAt,
		mapping.FromReceivedAt,
		mapping.FromEdge,
		mapping.FromEventAt,
	}
	influences = []fmt.Stringer{mapping.Negative, mapping.Neutral, mapping.Positive}
	valueTypes = []fmt.Stringer{mapping.Currency, mapping.Numeric, mapping.Text, mapping.Boolean}
)

// Events is a block of the table events. Not all columns can be read back: see EntityRows and KeyRows.
type Events struct {
	rowBlock[eventRow]
	row eventRow // of the current Append

	workspace, product, source *column.LowCardinality

	insertID                        *column.String
	eventAt, eventKeyAt, receivedAt *column.Fixed

	externalUserID, userEmail, userName      *column.NullableString
	externalOrganizationID, organizationName *column.NullableString
	externalConversationID                   *column.NullableString

	offset, version                        *column.Fixed
	userID, organizationID, conversationID *column.NullableFixed
}

// NewEvents returns an empty block.
func NewEvents() *Events {
	e := &Events{rowBlock: newRowBlock("events", eventColumns)}
	e.derived = derivedEventColumns
	b := &e.block
	e.workspace = columnNamed[*column.LowCardinality](b, "workspace_id")
	e.product = columnNamed[*column.LowCardinality](b, "product_id")
	e.source = columnNamed[*column.LowCardinality](b, "source")
	e.insertID = columnNamed[*column.String](b, "insert_id")
	e.eventAt = columnNamed[*column.Fixed](b, "event_at")
	e.eventKeyAt = columnNamed[*column.Fixed](b, "event_key_at")
	e.receivedAt = columnNamed[*column.Fixed](b, "received_at")
	e.externalUserID = columnNamed[*column.NullableString](b, "external_user_id")
	e.userEmail = columnNamed[*column.NullableString](b, "user_email")
	e.userName = columnNamed[*column.NullableString](b, "user_name")
	e.externalOrganizationID = columnNamed[*column.NullableString](b, "external_organization_id")
	e.organizationName = columnNamed[*column.NullableString](b, "organization_name")
	e.externalConversationID = columnNamed[*column.NullableString](b, "external_conversation_id")
	e.offset = columnNamed[*column.Fixed](b, "kafka_offset")
	e.version = columnNamed[*column.Fixed](b, "version")
	e.userID = columnNamed[*column.NullableFixed](b, "user_id")
	e.organizationID = columnNamed[*column.NullableFixed](b, "organization_id")
	e.conversationID = columnNamed[*column.NullableFixed](b, "conversation_id")
	return e
}

// Append adds an event. The values are copied.
func (b *Events) Append(e *mapping.Event, o *Origin) {
	b.row.Event, b.row.Origin, b.row.topic = e, o, append(b.row.topic[:0], o.Topic...)
	b.rowBlock.Append(&b.row)
}

// Offset returns the Kafka offset of a row's record.
func (b *Events) Offset(row int) int64 { return b.offset.Int64(row) }

// KeyTime returns the time in an event's sorting key, in Unix milliseconds. It is the message's own time, which
// duplicates share, or 0 if the message has none: the times of sending and receipt differ from attempt to attempt.
func KeyTime(e *mapping.Event) int64 {
	switch e.EventAtSource {
	case mapping.FromTimestamp, mapping.FromOriginalTimestamp, mapping.FromEventAt:
		return e.EventAt
	}
	return 0
}

// A version holds microseconds since versionEpoch in its lower versionBits, for 71 years. The upper bits count the
// revisions of a row, so a revision supersedes any delivery.
const (
	versionBits  = 51
	versionEpoch = 1577836800_000000 // 2020-01-01T00:00:00Z
)

// Version orders the deliveries of one event: an earlier delivery has a higher version. receivedAt is in Unix
// microseconds.
func Version(receivedAt int64) uint64 {
	const latest = 1<<versionBits - 1
	return latest - uint64(min(max(receivedAt-versionEpoch, 0), latest))
}

// Revised reports whether a row of that version has been revised since its delivery.
func Revised(version uint64) bool { return version>>versionBits > 0 }
