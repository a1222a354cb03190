package query

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// maxConversations limits the listed conversations.
const maxConversations = 50

// ConversationOrder is the order of conversations.
type ConversationOrder string

const (
	// Newest sorts by last activity, newest first.
	Newest ConversationOrder = "newest"
	// MostOutcomes sorts by the number of positive and negative events. Neutral events decide ties.
	MostOutcomes ConversationOrder = "outcomes"
)

var orders = map[ConversationOrder]string{
	Newest:       "last_activity_at DESC, conversation_id",
	MostOutcomes: "positive + negative DESC, neutral DESC, last_activity_at DESC, conversation_id",
}

// Conversations are conversations and their outcomes.
type Conversations struct {
	Conversations []Conversation
	Others        uint64 // conversations beyond maxConversations
	SQL           string
}

// Conversation is a conversation and all of its outcomes, also after the range. Unknown values are nil.
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
	AfterStart     *float64                   `ch:"first_after_start"` // seconds from the start to the first outcome, may be negative
	Total          uint64                     `ch:"conversations"`     // number of conversations
}

// Conversations returns conversations that were active in the range. An unknown order means Newest.
func (c *Client) Conversations(ctx context.Context, f Filter, order ConversationOrder) (Conversations, error) {
	by, known := orders[order]
	if !known {
		by = orders[Newest]
	}
	condition := "last_activity_at >= {from:" + dateTime + "} AND started_at < {until:" + dateTime + "}"
	if f.Product != "" {
		condition += " AND product_id = {product:String}"
	}
	rows, sql, err := run[Conversation](
		ctx,
		c,
		`SELECT conversation_id, external_conversation_id, product_id, user_id, started_at, last_activity_at, activities,
    outcomes, negative, neutral, positive, value_by_currency, first_outcome_at, last_outcome_at,
    toFloat64(first_outcome_after_start_seconds) AS first_after_start, count() OVER () AS conversations
FROM conversation_outcomes WHERE `+condition+`
ORDER BY `+by+` LIMIT {limit:UInt8}`,
		f.parametersWith("limit", maxConversations),
	)
	found := Conversations{Conversations: rows, SQL: sql}
	if len(rows) > 0 {
		found.Others = rows[0].Total - uint64(len(rows))
	}
	return found, err
}
