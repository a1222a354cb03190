package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/warehouse"
)

// MaxKeys limits the keys of one query.
const MaxKeys = 200

// Key identifies an event: its sorting key.
type Key struct {
	Product  string
	KeyAt    int64 // event_key_at in Unix milliseconds: see warehouse.KeyTime
	InsertID string
}

// StoredEvent is the stored row of a message. Unknown values are empty.
type StoredEvent struct {
	ReceivedAt time.Time `ch:"received_at"`
	// Topic, Partition and Offset are the coordinates of the stored message. They differ from a duplicate's.
	Topic     string `ch:"kafka_topic"`
	Partition int32  `ch:"kafka_partition"`
	Offset    int64  `ch:"kafka_offset"`

	EventType string `ch:"event_type"`
	Influence string `ch:"influence"`

	UserID, OrganizationID, ConversationID                         string
	ExternalUserID, ExternalOrganizationID, ExternalConversationID string
	UserName, UserEmail, OrganizationName                          string // known names, otherwise those of the message

	Revised bool // attribution changed after the row was stored
}

type storedRow struct {
	Workspace string    `ch:"workspace_id"`
	Product   string    `ch:"product_id"`
	KeyAt     time.Time `ch:"event_key_at"`
	InsertID  string    `ch:"insert_id"`
	EventAt   time.Time `ch:"event_at"`
	Version   uint64    `ch:"version"`
	Nullable  []string  `ch:"nullable"`
	StoredEvent
}

// setNullable sets fields from nullable columns, which are selected as one array.
func (r *storedRow) setNullable() {
	for n, to := range []*string{
		&r.UserID, &r.OrganizationID, &r.ConversationID,
		&r.ExternalUserID, &r.ExternalOrganizationID, &r.ExternalConversationID,
		&r.UserName, &r.UserEmail, &r.OrganizationName,
	} {
		*to = r.Nullable[n]
	}
	r.Revised = warehouse.Revised(r.Version)
}

const storedQuery = `SELECT workspace_id, product_id, event_key_at, insert_id, event_at, version, received_at, kafka_topic, kafka_partition, kafka_offset, event_type, influence,
    arrayMap(s -> ifNull(s, ''), [toString(user_id), toString(organization_id), toString(conversation_id),
        external_user_id, external_organization_id, external_conversation_id,
        user_name, user_email, organization_name]) AS nullable
FROM events FINAL WHERE (product_id, event_key_at, insert_id) IN {keys:Array(Tuple(String, ` + dateTime + `, String))}
SETTINGS do_not_merge_across_partitions_select_final = 1`

// Stored returns the rows of stored messages by key. len(keys) is at most MaxKeys.
func (c *Client) Stored(ctx context.Context, keys []Key) (map[Key]StoredEvent, error) {
	found := make(map[Key]StoredEvent, len(keys))
	switch {
	case len(keys) == 0:
		return found, nil
	case len(keys) > MaxKeys:
		return nil, fmt.Errorf("BUG: %d messages are looked for at once, and %d may be", len(keys), MaxKeys)
	}
	rows, _, err := run[storedRow](ctx, c, storedQuery, parameters{"keys": keyArray(keys)})
	if err != nil {
		return nil, err
	}
	for n := range rows {
		rows[n].setNullable()
	}
	if err := c.addNames(ctx, rows); err != nil {
		return nil, err
	}
	for _, row := range rows {
		found[Key{row.Product, row.KeyAt.UnixMilli(), row.InsertID}] = row.StoredEvent
	}
	return found, nil
}

// keyArray formats keys as an array literal.
func keyArray(keys []Key) string {
	tuples := make([]string, len(keys))
	for n, k := range keys {
		tuples[n] = tuple(k.Product, formatTime(time.UnixMilli(k.KeyAt)), k.InsertID)
	}
	return array(tuples)
}

func tuple(parts ...string) string {
	quoted := make([]string, len(parts))
	for n, part := range parts {
		quoted[n] = warehouse.Quote(part)
	}
	return "(" + strings.Join(quoted, ",") + ")"
}

func array(elements []string) string { return "[" + strings.Join(elements, ",") + "]" }
