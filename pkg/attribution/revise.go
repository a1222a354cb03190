package attribution

import (
	"context"
	"maps"
	"slices"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// workIn brings the stored rows that news may touch up to date: first activities, whose users decide about
// conversations, and then, when all blocks that may not know the news have landed, events. What follows from activities
// is added to the news.
func (a *Service) workIn(ctx context.Context, of newsOf) error {
	s, err := a.share(ctx)
	if err != nil || len(s.owned) == 0 {
		return err // the partitions may have gone since
	}
	affected, err := a.affected(ctx, s, of.together())
	if err != nil || len(affected.Products) == 0 {
		return err
	}
	if err := a.identities.AwaitBatches(ctx); err != nil { // activities in the air have a user who may be another by now
		return err
	}
	err = a.lookup.AffectedActivities(ctx, &affected, func(list []warehouse.StoredActivity) error {
		list = slices.DeleteFunc(list, func(row warehouse.StoredActivity) bool { return !s.has(row.ProductPartition()) })
		return a.reviseActivities(ctx, list, of)
	})
	if err != nil {
		return err
	}
	all := of.together()
	affected.UserSpans, affected.ConversationSpans = all.active, all.followed
	if err := a.identities.AwaitBatches(ctx); err != nil {
		return err
	}
	return a.lookup.AffectedEvents(ctx, &affected, func(list []warehouse.StoredEvent) error { return a.reviseEvents(ctx, list) })
}

// affected turns news into questions.
func (a *Service) affected(ctx context.Context, s *share, n *news) (warehouse.AffectedRows, error) {
	w := warehouse.AffectedRows{Partitions: s.partitions(), Users: n.from, Conversations: n.conversations}
	products := map[string]bool{}
	workspaces := map[string]bool{}
	for _, m := range n.moved {
		workspaces[m.workspace] = true
	}
	var err error
	w.ExternalIDs, err = a.expected(ctx, n, func(m moved) string { return m.externalID }, func(m moved) moved { return moved{m.workspace, m.externalID, ""} })
	if err != nil {
		return w, err
	}
	w.Addresses, err = a.expected(ctx, n, func(m moved) string { return m.email }, func(m moved) moved { return moved{m.workspace, "", m.email} })
	if err != nil {
		return w, err
	}
	if len(workspaces) > 0 {
		seen, err := a.lookup.Products(ctx, slices.Collect(maps.Keys(workspaces)))
		if err != nil {
			return w, err
		}
		for _, p := range s.products(seen) {
			products[p] = true
		}
	}
	for u := range n.active {
		products[u.Product] = true
	}
	for c := range n.followed {
		products[c.Product] = true
	}
	for _, c := range n.conversations {
		products[c.Product] = true
	}
	w.Products = slices.Collect(maps.Keys(products))
	return w, nil
}

// expected finds whom the external ids, or the addresses, in news stand for by now.
func (a *Service) expected(ctx context.Context, n *news, name func(moved) string, alone func(moved) moved) ([]warehouse.ExpectedUser, error) {
	var list []moved
	met := map[moved]bool{}
	for _, m := range n.moved {
		if one := alone(m); name(m) != "" && !met[one] {
			met[one] = true
			list = append(list, one)
		}
	}
	users, err := a.who(ctx, len(list), func(i int) (string, string, string) { return list[i].workspace, list[i].externalID, list[i].email })
	if err != nil {
		return nil, err
	}
	expected := make([]warehouse.ExpectedUser, len(list))
	for i, m := range list {
		expected[i] = warehouse.ExpectedUser{Name: identity.Name{Workspace: []byte(m.workspace), Name: []byte(name(m))}, User: users[i]}
	}
	return expected, nil
}

// who resolves subjects by all that is known.
func (a *Service) who(ctx context.Context, n int, subject func(int) (workspace, externalID, email string)) ([]identity.ID, error) {
	flight := a.identities.BeginBatch()
	defer flight.Complete()
	a.identities.Lock()
	for i := range n {
		workspace, externalID, email := subject(i)
		flight.Add([]byte(workspace), present(externalID), present(email))
	}
	a.identities.Unlock()
	if persons, addresses := flight.Missing(); len(persons)+len(addresses) > 0 {
		claims, holdings, err := a.lookup.Identities(ctx, persons, addresses)
		if err != nil {
			return nil, err
		}
		flight.Load(claims, holdings)
	}
	a.identities.Lock()
	defer a.identities.Unlock()
	ids := make([]identity.ID, n)
	for i := range ids {
		ids[i], _ = flight.Resolve(i)
	}
	return ids, nil
}

func present(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (a *Service) reviseActivities(ctx context.Context, list []warehouse.StoredActivity, of newsOf) error {
	users, err := a.who(ctx, len(list), func(i int) (string, string, string) { return list[i].Workspace, list[i].ExternalUserID, list[i].Email })
	if err != nil {
		return err
	}
	changed := list[:0]
	for i := range list {
		activity := list[i]
		if activity.UserID == users[i] {
			continue
		}
		for _, user := range []identity.ID{activity.UserID, users[i]} {
			if user != (identity.ID{}) {
				of.act(activity.Workspace, warehouse.ProductUser{Product: activity.Product, User: user}, activity.At)
			}
		}
		activity.UserID = users[i]
		changed = append(changed, activity)
	}
	if len(changed) == 0 {
		return nil
	}
	lease, err := a.mayRevise(ctx, len(changed), func(i int) warehouse.ProductPartition { return changed[i].ProductPartition() })
	if err != nil {
		return err
	}
	a.metrics.revised.WithLabelValues("conversation_activity").Add(float64(len(changed)))
	return a.lookup.ReviseActivities(ctx, changed, lease, a.writer)
}

func (a *Service) reviseEvents(ctx context.Context, list []warehouse.StoredEvent) error {
	users, err := a.who(ctx, len(list), func(i int) (string, string, string) { return list[i].Workspace, list[i].ExternalUserID, list[i].Email })
	if err != nil {
		return err
	}
	conversations, err := a.conversations(ctx, list, users)
	if err != nil {
		return err
	}
	changed := list[:0]
	for i := range list {
		event := list[i]
		if event.UserID != users[i] || event.ConversationID != conversations[i] {
			event.UserID, event.ConversationID = users[i], conversations[i]
			changed = append(changed, event)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	lease, err := a.mayRevise(ctx, len(changed), func(i int) warehouse.ProductPartition { return changed[i].ProductPartition() })
	if err != nil {
		return err
	}
	a.metrics.revised.WithLabelValues("events").Add(float64(len(changed)))
	return a.lookup.ReviseEvents(ctx, changed, lease)
}

// conversations finds the conversations of stored events whose users are known.
func (a *Service) conversations(ctx context.Context, list []warehouse.StoredEvent, users []identity.ID) ([]identity.ID, error) {
	q := newQuestions()
	for i := range list {
		event := &list[i]
		switch {
		case event.Conversation != "":
			q.name(event.Product, event.Conversation, i)
		case users[i] != identity.ID{}:
			q.ask(warehouse.ProductUser{Product: event.Product, User: users[i]}, event.EventAt)
		}
	}
	answers, err := q.answer(ctx, a.lookup)
	if err != nil {
		return nil, err
	}
	conversations := make([]identity.ID, len(list))
	for i := range list {
		event := &list[i]
		if event.Conversation != "" {
			continue
		}
		if id, ok := answers.activities[warehouse.ProductUser{Product: event.Product, User: users[i]}].LatestBefore(event.EventAt); ok {
			conversations[i] = id
		}
	}
	answers.named(func(i int, id identity.ID) { conversations[i] = id })
	return conversations, nil
}
