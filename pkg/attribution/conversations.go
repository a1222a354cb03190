package attribution

import (
	"context"
	"math"
	"slices"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// questions are what has to be looked up to know the conversations of events: whether the one that an event names
// is known, and what its user was active in before.
type questions struct {
	names    map[warehouse.ConversationName][]int // and the events that name it
	moments  map[warehouse.TimeBucket]struct{}
	from, to int64
}

func newQuestions() *questions {
	return &questions{names: map[warehouse.ConversationName][]int{}, moments: map[warehouse.TimeBucket]struct{}{}, from: math.MaxInt64, to: math.MinInt64}
}

func (q *questions) name(product, conversation string, event int) {
	key := warehouse.ConversationName{Product: product, Name: conversation}
	q.names[key] = append(q.names[key], event)
}

func (q *questions) ask(u warehouse.ProductUser, at int64) {
	for _, moment := range warehouse.LookBackBuckets(u, at) {
		q.moments[moment] = struct{}{}
	}
	q.from, q.to = min(q.from, at-identity.LookBack.Milliseconds()), max(q.to, at)
}

// answers are what was found.
type answers struct {
	questions  *questions
	known      []warehouse.ConversationName
	activities map[warehouse.ProductUser]identity.Activities
}

func (q *questions) answer(ctx context.Context, lookup *warehouse.Lookup) (a answers, err error) {
	a.questions = q
	if len(q.names) > 0 {
		wanted := make([]warehouse.ConversationName, 0, len(q.names))
		for name := range q.names {
			wanted = append(wanted, name)
		}
		if a.known, err = lookup.KnownConversations(ctx, wanted); err != nil {
			return a, err
		}
	}
	if len(q.moments) > 0 {
		a.activities, err = lookup.ActivitiesIn(ctx, q.moments, q.from, q.to)
	}
	return a, err
}

// named passes each event that names a known conversation to set.
func (a *answers) named(set func(event int, conversation identity.ID)) {
	for _, name := range a.known {
		id := identity.ConversationID([]byte(name.Product), []byte(name.Name))
		for _, event := range a.questions.names[name] {
			set(event, id)
		}
	}
}

// converse finds the conversations of a chunk's events. The chunk's own activities are written down by now.
func (b *boarding) converse(ctx context.Context) error {
	rows := b.Events
	var found answers
	err := b.retry(ctx, "conversations_lookup", func(ctx context.Context) (err error) {
		if err := b.seen.askForActivity(ctx, b.a.lookup); err != nil {
			return err
		}
		q := newQuestions()
		if !b.converses(rows) {
			found.questions = q
			return nil
		}
		for s := rows.EntityRows(); s.Next(); {
			if s.ExternalConversationID != nil {
				q.name(string(s.Product), string(s.ExternalConversationID), s.Row)
			} else if u, ok := b.looksBack(&s); ok {
				q.ask(u, s.At)
			}
		}
		found, err = q.answer(ctx, b.a.lookup)
		return err
	})
	if err != nil {
		return err
	}
	found.named(rows.SetConversation)
	if len(found.activities) == 0 {
		return nil
	}
	for s := rows.EntityRows(); s.Next(); {
		if u, ok := b.looksBack(&s); ok {
			if id, ok := found.activities[u].LatestBefore(s.At); ok {
				rows.SetConversation(s.Row, id)
			}
		}
	}
	return nil
}

// converses tells whether any of the events may have a conversation: many companies' never do.
func (b *boarding) converses(rows *warehouse.Events) bool {
	return rows.HasExternalConversations() || slices.ContainsFunc(rows.Products(), b.seen.activeText)
}

// looksBack tells whose activities decide about an event, if any do.
func (b *boarding) looksBack(s *warehouse.EntityRows) (u warehouse.ProductUser, ok bool) {
	if s.ExternalConversationID != nil || !b.seen.active(s.Product) {
		return u, false
	}
	id, ok := b.Events.User(s.Row)
	return warehouse.ProductUser{Product: string(s.Product), User: id}, ok
}
