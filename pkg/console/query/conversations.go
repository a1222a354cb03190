package query

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// maxConversations are listed at most.
const maxConversations = 50

// ConversationOrder says which conversations come first.
type ConversationOrder string

const (
	// Newest has those first that were active last.
	Newest ConversationOrder = "newest"
	// MostOutcomes has those first that led to the most, be it good or bad. Neutral events decide between equals only.
	MostOutcomes ConversationOrder = "outcomes"
)

var orders = map[ConversationOrder]string{
	Newest:       "last_activity_at DESC, conversation_id",
	MostOutcomes: "positive + negative DESC, neutral DESC, last_activity_at DESC, conversation_id",
}

// Conversations are some, and what they led to.
type Conversations struct {
	Conversations []Conversation
	Others        uint64 // conversations that are left out
	SQL           string
}

// Conversation is one and all that it led to, also after the range. What is not known, or has not happened, is nil.
type Conversation struct {
	ID             string    `ch:"conversation_id"`
	ExternalID     string    `ch:"external_conversation_id"`
	Product        string    `ch:"product_id"`
	UserID         *string   `ch:"user_id"`
	StartedAt      time.Time `ch:"started_at"`
	LastActivityAt time.Time `ch:"last_activity_at"`
	Activities     uint64    `ch:"activities"`
	Outcomes       uint64    `ch:"outcomes"`
	Counts
	Values         map[string]decimal.Decimal `ch:"value_by_currency"`
	FirstOutcomeAt *time.Time                 `ch:"first_outcome_at"`
	LastOutcomeAt  *time.Time                 `ch:"last_outcome_at"`
	AfterStart     *float64                   `ch:"first_after_start"` // seconds from the start to the first outcome; negative if that was before
	Total          uint64                     `ch:"conversations"`     // conversations there are
}

// Conversations are those that were active in the range. Any order but MostOutcomes is Newest.
func (c *Client) Conversations(ctx context.Context, f Filter, order ConversationOrder) (Conversations, error) {
	by, known := orders[order]
	if !known {
		by = orders[Newest]
	}
	condition := "last_activity_at >= {from:" + dateTime + "} AND started_at < {until:" + dateTime + "}"
	if f.Product != "" {
		condition += " AND product_id = {product:String}"
	}
	rows, sql, err := run[Conversation](ctx, c, `SELECT conversation_id, external_conversation_id, product_id, user_id, started_at, last_activity_at, activities,
    outcomes, negative, neutral, positive, value_by_currency, first_outcome_at, last_outcome_at,
    toFloat64(first_outcome_after_start_seconds) AS first_after_start, count() OVER () AS conversations
FROM conversation_outcomes WHERE `+condition+`
ORDER BY `+by+` LIMIT {limit:UInt8}`, f.parametersWith("limit", maxConversations))
	found := Conversations{Conversations: rows, SQL: sql}
	if len(rows) > 0 {
		found.Others = rows[0].Total - uint64(len(rows))
	}
	return found, err
}
