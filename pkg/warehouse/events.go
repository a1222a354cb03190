package warehouse

import (
	"math"

	"github.com/millrace/millrace/pkg/mapping"
)

// Origin is what an event's row says of where it came from.
type Origin struct {
	Workspace, Product, Connection, Provider []byte
	ReceivedAt                               int64 // Unix microseconds
	Topic                                    string
	Partition                                int32
	Offset                                   int64
}

// Events is a block of the events table.
type Events struct {
	block

	workspace, product, connection, source *dictionary

	insertID               *text
	messageType            *fixed
	eventType, sourceEvent *dictionary

	eventAt, eventAtSource, eventKeyAt, receivedAt *fixed

	externalUserID         *nullable[*text]
	userEmail, userName    *nullable[*text]
	externalOrganizationID *nullable[*text]
	organizationName       *nullable[*text]
	externalConversationID *nullable[*text]

	influence *fixed
	score     *nullable[*fixed]
	value     *nullable[*fixed]
	valueType *nullable[*fixed]
	valueText *nullable[*text]
	currency  *dictionary

	properties *text

	topic             *dictionary
	partition, offset *fixed
	version           *fixed

	userID, organizationID, conversationID *nullable[*fixed] // derived: filled in when all of the block is there

	topicBytes []byte
}

// NewEvents makes an empty block.
func NewEvents() *Events {
	e := &Events{block: block{table: "events"}}
	e.workspace = e.addDictionary("workspace_id", false)
	e.product = e.addDictionary("product_id", false)
	e.connection = e.addDictionary("connection_id", false)
	e.source = e.addDictionary("source", false)
	e.insertID = e.addText("insert_id")
	e.messageType = e.addFixed("message_type", enumType(messageTypes), 1)
	e.eventType = e.addDictionary("event_type", false)
	e.sourceEvent = e.addDictionary("source_event", true)
	e.eventAt = e.addFixed("event_at", dateTime64, 8)
	e.eventAtSource = e.addFixed("event_at_source", enumType(timeSources), 1)
	e.eventKeyAt = e.addFixed("event_key_at", dateTime64, 8)
	e.receivedAt = e.addFixed("received_at", dateTime64, 8)
	e.externalUserID = e.addNullableText("external_user_id")
	e.userEmail = e.addNullableText("user_email")
	e.userName = e.addNullableText("user_name")
	e.externalOrganizationID = e.addNullableText("external_organization_id")
	e.organizationName = e.addNullableText("organization_name")
	e.externalConversationID = e.addNullableText("external_conversation_id")
	e.influence = e.addFixed("influence", enumType(influences), 1)
	e.score = e.addNullableFixed("quality_impact_score", "Float64", 8)
	e.value = e.addNullableFixed("value", decimal128, 16)
	e.valueType = e.addNullableFixed("value_type", enumType(valueTypes), 1)
	e.valueText = e.addNullableText("value_text")
	e.currency = e.addDictionary("currency", false)
	e.properties = e.addText("properties")
	e.topic = e.addDictionary("kafka_topic", false)
	e.partition = e.addFixed("kafka_partition", "Int32", 4)
	e.offset = e.addFixed("kafka_offset", "Int64", 8)
	e.version = e.addFixed("version", "UInt64", 8)
	e.userID = e.addNullableFixed("user_id", "UUID", 16)
	e.organizationID = e.addNullableFixed("organization_id", "UUID", 16)
	e.conversationID = e.addNullableFixed("conversation_id", "UUID", 16)
	e.derived = 3
	return e
}

// Append adds an event. What it aliases is copied.
func (b *Events) Append(e *mapping.Event, o *Origin) {
	b.workspace.put(o.Workspace)
	b.product.put(o.Product)
	b.connection.put(o.Connection)
	b.source.put(o.Provider)
	b.insertID.put(e.InsertID)
	b.messageType.put8(uint8(e.MessageType))
	b.eventType.put(e.EventType)
	b.sourceEvent.put(e.SourceEvent)
	b.eventAt.put64(uint64(e.EventAt))
	b.eventAtSource.put8(uint8(e.EventAtSource))
	b.eventKeyAt.put64(uint64(KeyTime(e)))
	b.receivedAt.put64(uint64(o.ReceivedAt / 1000))
	putText(b.externalUserID, e.ExternalUserID)
	putText(b.userEmail, e.UserEmail)
	putText(b.userName, e.UserName)
	putText(b.externalOrganizationID, e.ExternalOrganizationID)
	putText(b.organizationName, e.OrganizationName)
	putText(b.externalConversationID, e.ExternalConversationID)
	b.influence.put8(uint8(e.Influence))
	b.appendValue(e)
	b.properties.put(e.Properties)
	b.topicBytes = append(b.topicBytes[:0], o.Topic...)
	b.topic.put(b.topicBytes)
	b.partition.put32(uint32(o.Partition))
	b.offset.put64(uint64(o.Offset))
	b.version.put64(Version(o.ReceivedAt))
	putNothing(b.userID)
	putNothing(b.organizationID)
	putNothing(b.conversationID)
}

func (b *Events) appendValue(e *mapping.Event) {
	b.score.has(e.HasScore)
	b.score.values.put64(math.Float64bits(e.Score))
	b.value.has(e.HasValue)
	b.value.values.put128(e.Value.Low, uint64(e.Value.High))
	b.valueType.has(e.ValueType != mapping.NoValue)
	b.valueType.values.put8(uint8(e.ValueType))
	putText(b.valueText, e.ValueText)
	b.currency.put(e.Currency)
}

// KeyTime is the time in the sorting key: one that a resend has too. When a message was sent and received
// changes with each attempt.
func KeyTime(e *mapping.Event) int64 {
	switch e.EventAtSource {
	case mapping.FromTimestamp, mapping.FromOriginalTimestamp, mapping.FromEventAt:
		return e.EventAt
	}
	return 0
}

// versionBits hold microseconds since versionEpoch for 71 years; above them is room for revisions of a
// row, which win over any delivery.
const (
	versionBits  = 51
	versionEpoch = 1577836800_000000 // 2020-01-01T00:00:00Z
)

// Version orders the deliveries of one event: the earlier it was received, the higher.
func Version(receivedAt int64) uint64 {
	const latest = 1<<versionBits - 1
	return latest - uint64(min(max(receivedAt-versionEpoch, 0), latest))
}

// Revised tells whether a row of that version has been revised since it was delivered.
func Revised(version uint64) bool { return version>>versionBits > 0 }

// Offset is where the message of a row stands in its partition.
func (b *Events) Offset(row int) int64 { return b.offset.get64(row) }
