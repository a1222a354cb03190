package query

import (
	"context"
	"strconv"
	"time"
)

// LatestFilter selects stored events. Empty fields select all.
type LatestFilter struct {
	Product, Connection string
	Since               time.Time // earliest time of receipt
	EventType           string    // substring, case-insensitive
	Influence           string
	User                string // substring of the external id or the address, case-insensitive
}

// LatestEvent is a stored event with its position in Kafka.
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
	Nullable   []string  `ch:"nullable"`
}

// Latest returns the newest stored events of a connection, newest first. It complements the end of the log when that
// can only be sampled. It reads only rows of the product received since f.Since.
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
	rows, _, err := run[latestRow](
		ctx,
		c,
		`SELECT product_id, event_type, influence, insert_id, event_key_at, received_at, kafka_topic, kafka_partition, kafka_offset,
    arrayMap(s -> ifNull(s, ''), [value_text, toString(currency), external_user_id, user_email,
        external_organization_id, external_conversation_id]) AS nullable
FROM events WHERE `+condition+` ORDER BY received_at DESC, kafka_offset DESC LIMIT {limit:UInt8}`,
		parameters{
			"product":    f.Product,
			"connection": f.Connection,
			"since":      formatTime(f.Since),
			"type":       f.EventType,
			"influence":  f.Influence,
			"user":       f.User,
			"limit":      strconv.Itoa(limit),
		},
	)
	found := make([]LatestEvent, 0, len(rows))
	for _, r := range rows {
		found = append(found, LatestEvent{
			Product:                r.Product,
			EventType:              r.EventType,
			Influence:              r.Influence,
			InsertID:               r.InsertID,
			KeyAt:                  r.KeyAt.UnixMilli(),
			ReceivedAt:             r.ReceivedAt,
			Value:                  r.Nullable[0],
			Currency:               r.Nullable[1],
			ExternalUserID:         r.Nullable[2],
			Email:                  r.Nullable[3],
			ExternalOrganizationID: r.Nullable[4],
			ExternalConversationID: r.Nullable[5],
			Topic:                  r.Topic,
			Partition:              r.Partition,
			Offset:                 r.Offset,
		})
	}
	return found, err
}
