package query

import (
	"context"
	"strconv"
	"time"
)

// LatestFilter says which stored events are looked for. Empty texts ask for nothing.
type LatestFilter struct {
	Product, Connection string
	Since               time.Time // received since then
	EventType           string    // a part of it, whatever the case
	Influence           string
	User                string // a part of the external id or of the address, whatever the case
}

// LatestEvent is an event that was stored of late, and where its message lies.
type LatestEvent struct {
	Product, EventType, Influence, InsertID        string
	KeyAt                                          int64 // as in Key
	ReceivedAt                                     time.Time
	Value, Currency                                string
	ExternalUserID, Email                          string
	ExternalOrganizationID, ExternalConversationID string
	Topic                                          string
	Partition                                      int32
	Offset                                         int64
}

type latestRow struct {
	Product    string    `ch:"product_id"`
	EventType  string    `ch:"event_type"`
	Influence  string    `ch:"influence"`
	InsertID   string    `ch:"insert_id"`
	KeyAt      time.Time `ch:"event_key_at"`
	ReceivedAt time.Time `ch:"received_at"`
	Topic      string    `ch:"kafka_topic"`
	Partition  int32     `ch:"kafka_partition"`
	Offset     int64     `ch:"kafka_offset"`
	Nullable   []string  `ch:"said"`
}

// Latest are the newest of a connection's events, the newest first: what the end of the log cannot show where more comes than anybody can
// read. It reads what was received since then, and no more of the product.
func (c *Client) Latest(ctx context.Context, f LatestFilter, limit int) ([]LatestEvent, error) {
	condition := "product_id = {product:String} AND connection_id = {connection:String} AND received_at >= {since:" + dateTime + "}"
	if f.EventType != "" {
		condition += " AND positionCaseInsensitiveUTF8(toString(event_type), {type:String}) > 0"
	}
	if f.Influence != "" {
		condition += " AND toString(influence) = {influence:String}"
	}
	if f.User != "" {
		condition += " AND (positionCaseInsensitiveUTF8(ifNull(external_user_id, ''), {user:String}) > 0 OR positionCaseInsensitiveUTF8(ifNull(user_email, ''), {user:String}) > 0)"
	}
	rows, _, err := run[latestRow](ctx, c, `SELECT product_id, event_type, influence, insert_id, event_key_at, received_at, kafka_topic, kafka_partition, kafka_offset,
    arrayMap(s -> ifNull(s, ''), [value_text, toString(currency), external_user_id, user_email, external_organization_id, external_conversation_id]) AS said
FROM events WHERE `+condition+` ORDER BY received_at DESC, kafka_offset DESC LIMIT {limit:UInt8}`,
		parameters{"product": f.Product, "connection": f.Connection, "since": formatTime(f.Since), "type": f.EventType, "influence": f.Influence, "user": f.User, "limit": strconv.Itoa(limit)})
	found := make([]LatestEvent, 0, len(rows))
	for _, r := range rows {
		found = append(found, LatestEvent{Product: r.Product, EventType: r.EventType, Influence: r.Influence, InsertID: r.InsertID, KeyAt: r.KeyAt.UnixMilli(), ReceivedAt: r.ReceivedAt,
			Value: r.Nullable[0], Currency: r.Nullable[1], ExternalUserID: r.Nullable[2], Email: r.Nullable[3], ExternalOrganizationID: r.Nullable[4], ExternalConversationID: r.Nullable[5],
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
	}
	return found, err
}
