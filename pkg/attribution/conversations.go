package attribution

import (
	"context"
	"math"
	"slices"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// conversationQuery collects what must be looked up for the conversations of events: the conversations that events
// name, and the activities of users in the look-back window before events.
type conversationQuery struct {
	names    map[warehouse.ConversationName][]int // and the events that name it
	buckets  map[warehouse.TimeBucket]struct{}
	from, to int64
}

func newConversationQuery() *conversationQuery {
	return &conversationQuery{
		names:   map[warehouse.ConversationName][]int{},
		buckets: map[warehouse.TimeBucket]struct{}{},
		from:    math.MaxInt64, to: math.MinInt64,
	}
}

func (q *conversationQuery) addName(product, conversation string, event int) {
	key := warehouse.ConversationName{Product: product, Name: conversation}
	q.names[key] = append(q.names[key], event)
}

func (q *conversationQuery) addLookBack(u warehouse.ProductUser, at int64) {
	for _, bucket := range warehouse.LookBackBuckets(u, at) {
		q.buckets[bucket] = struct{}{}
	}
	q.from, q.to = min(q.from, at-identity.LookBack.Milliseconds()), max(q.to, at)
}

// conversationResult is what the look-up found.
type conversationResult struct {
	query      *conversationQuery
	known      []warehouse.ConversationName
	activities map[warehouse.ProductUser]identity.Activities
}

func (q *conversationQuery) run(ctx context.Context, lookup *warehouse.Lookup) (r conversationResult, err error) {
	r.query = q
	if len(q.names) > 0 {
		wanted := make([]warehouse.ConversationName, 0, len(q.names))
		for name := range q.names {
			wanted = append(wanted, name)
		}
		if r.known, err = lookup.KnownConversations(ctx, wanted); err != nil {
			return r, err
		}
	}
	if len(q.buckets) > 0 {
		r.activities, err = lookup.ActivitiesIn(ctx, q.buckets, q.from, q.to)
	}
	return r, err
}

// eachNamed calls set for each event that names a known conversation.
func (r *conversationResult) eachNamed(set func(event int, conversation identity.ID)) {
	for _, name := range r.known {
		id := identity.ConversationID([]byte(name.Product), []byte(name.Name))
		for _, event := range r.query.names[name] {
			set(event, id)
		}
	}
}

// resolveConversations finds the conversations of a batch's events. The batch's own activities are written by now.
func (b *resolution) resolveConversations(ctx context.Context) error {
	var found conversationResult
	err := b.retry(ctx, "conversations_lookup", func(ctx context.Context) (err error) {
		found, err = b.lookUpConversations(ctx)
		return err
	})
	if err != nil || found.query == nil {
		return err
	}
	found.eachNamed(b.Events.SetConversation)
	if len(found.activities) == 0 {
		return nil
	}
	for s := b.Events.EntityRows(); s.Next(); {
		if u, ok := b.lookBackUser(&s); ok {
			if id, ok := found.activities[u].LatestBefore(s.At); ok {
				b.Events.SetConversation(s.Row, id)
			}
		}
	}
	return nil
}

// lookUpConversations returns a result without a query if no event of the batch can have a conversation.
func (b *resolution) lookUpConversations(ctx context.Context) (found conversationResult, err error) {
	if err := b.products.checkActivity(ctx, b.service.lookup); err != nil {
		return found, err
	}
	if !b.Events.HasExternalConversations() && !slices.ContainsFunc(b.Events.Products(), b.products.isKnownActive) {
		return found, nil
	}
	q := newConversationQuery()
	for s := b.Events.EntityRows(); s.Next(); {
		if s.ExternalConversationID != nil {
			q.addName(string(s.Product), string(s.ExternalConversationID), s.Row)
		} else if u, ok := b.lookBackUser(&s); ok {
			q.addLookBack(u, s.At)
		}
	}
	return q.run(ctx, b.service.lookup)
}

// lookBackUser returns the user whose activities decide the conversation of an event, if a user's activities do.
func (b *resolution) lookBackUser(s *warehouse.EntityRows) (u warehouse.ProductUser, ok bool) {
	if s.ExternalConversationID != nil || !b.products.isActive(s.Product) {
		return u, false
	}
	id, ok := b.Events.User(s.Row)
	return warehouse.ProductUser{Product: string(s.Product), User: id}, ok
}
