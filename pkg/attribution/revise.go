package attribution

import (
	"context"
	"maps"
	"slices"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// revise applies changes to the stored rows that this loader owns: first to activities, whose users decide the
// conversations of events, then to events. Before each step it waits for the batches in progress, which may have been
// resolved without the changes. The changes of activities are added to the set.
func (a *Service) revise(ctx context.Context, set changeSet) error {
	o, err := a.ownership(ctx)
	if err != nil || len(o.owned) == 0 {
		return err // the partitions were revoked
	}
	affected, err := a.affected(ctx, o, set.merged())
	if err != nil || len(affected.Products) == 0 {
		return err
	}
	if err := a.identities.AwaitBatches(ctx); err != nil {
		return err
	}
	err = a.lookup.AffectedActivities(ctx, &affected, func(list []warehouse.StoredActivity) error {
		list = slices.DeleteFunc(list, func(row warehouse.StoredActivity) bool {
			return !o.has(row.ProductPartition())
		})
		return a.reviseActivities(ctx, list, set)
	})
	if err != nil {
		return err
	}
	all := set.merged()
	affected.Conversations = all.conversations
	affected.UserSpans, affected.ConversationSpans = all.activeUsers, all.revisedConversations
	if err := a.identities.AwaitBatches(ctx); err != nil {
		return err
	}
	return a.lookup.AffectedEvents(ctx, &affected, func(list []warehouse.StoredEvent) error {
		return a.reviseEvents(ctx, list)
	})
}

// affected describes the rows that changes may affect.
func (a *Service) affected(ctx context.Context, o *ownership, n *changes) (warehouse.AffectedRows, error) {
	rows := warehouse.AffectedRows{Partitions: o.partitions(), Users: n.previousUsers, Conversations: n.conversations}
	var err error
	if rows.ExternalIDs, err = a.currentUsers(ctx, n.reassigned, func(e entity) entity {
		return entity{e.workspace, e.externalID, ""}
	}); err != nil {
		return rows, err
	}
	if rows.Addresses, err = a.currentUsers(ctx, n.reassigned, func(e entity) entity {
		return entity{e.workspace, "", e.email}
	}); err != nil {
		return rows, err
	}
	rows.Products, err = a.affectedProducts(ctx, o, n)
	return rows, err
}

// affectedProducts returns the products of workspaces with reassigned entities, and those that changes name.
func (a *Service) affectedProducts(ctx context.Context, o *ownership, n *changes) ([]string, error) {
	products, workspaces := map[string]bool{}, map[string]bool{}
	for _, e := range n.reassigned {
		workspaces[e.workspace] = true
	}
	if len(workspaces) > 0 {
		seen, err := a.lookup.Products(ctx, slices.Collect(maps.Keys(workspaces)))
		if err != nil {
			return nil, err
		}
		for _, p := range o.products(seen) {
			products[p] = true
		}
	}
	for u := range n.activeUsers {
		products[u.Product] = true
	}
	for c := range n.revisedConversations {
		products[c.Product] = true
	}
	for _, c := range n.conversations {
		products[c.Product] = true
	}
	return slices.Collect(maps.Keys(products)), nil
}

// currentUsers resolves one part of each entity, its external id or its address. Entities without it are left out.
func (a *Service) currentUsers(
	ctx context.Context, all []entity, part func(entity) entity,
) ([]warehouse.ExpectedUser, error) {
	var parts []entity
	seen := map[entity]bool{}
	for _, e := range all {
		if p := part(e); p.externalID+p.email != "" && !seen[p] {
			seen[p] = true
			parts = append(parts, p)
		}
	}
	users, err := a.resolveUsers(ctx, parts)
	if err != nil {
		return nil, err
	}
	expected := make([]warehouse.ExpectedUser, len(parts))
	for i, p := range parts {
		name := identity.Name{Workspace: []byte(p.workspace), Name: []byte(p.externalID + p.email)}
		expected[i] = warehouse.ExpectedUser{Name: name, User: users[i]}
	}
	return expected, nil
}

// resolveUsers resolves entities by all claims that are known now. The id of an unknown user is zero.
func (a *Service) resolveUsers(ctx context.Context, entities []entity) ([]identity.ID, error) {
	batch := a.identities.BeginBatch()
	defer batch.Complete()
	a.identities.Lock()
	for _, e := range entities {
		batch.Add([]byte(e.workspace), orNil(e.externalID), orNil(e.email))
	}
	a.identities.Unlock()
	if externalIDs, addresses := batch.Missing(); len(externalIDs)+len(addresses) > 0 {
		claims, states, err := a.lookup.Identities(ctx, externalIDs, addresses)
		if err != nil {
			return nil, err
		}
		batch.Load(claims, states)
	}
	a.identities.Lock()
	defer a.identities.Unlock()
	ids := make([]identity.ID, len(entities))
	for i := range ids {
		ids[i], _ = batch.Resolve(i)
	}
	return ids, nil
}

func orNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// reviseActivities writes the activities whose users changed, and adds what follows from them to the set.
func (a *Service) reviseActivities(ctx context.Context, list []warehouse.StoredActivity, set changeSet) error {
	entities := make([]entity, len(list))
	for i := range list {
		entities[i] = entity{list[i].Workspace, list[i].ExternalUserID, list[i].Email}
	}
	users, err := a.resolveUsers(ctx, entities)
	if err != nil {
		return err
	}
	changed := list[:0]
	conversations := map[warehouse.ConversationName]bool{}
	for i, row := range list {
		if row.UserID == users[i] {
			continue
		}
		for _, user := range []identity.ID{row.UserID, users[i]} {
			if user != (identity.ID{}) {
				set.addActivity(row.Workspace, warehouse.ProductUser{Product: row.Product, User: user}, row.At)
			}
		}
		if name := (warehouse.ConversationName{Product: row.Product, Name: row.Conversation}); !conversations[name] {
			// The replaced row may be the only trace of a conversation whose change the previous owner did not apply.
			conversations[name] = true
			set.addConversation(row.Workspace, row.Product, row.Conversation)
		}
		row.UserID = users[i]
		changed = append(changed, row)
	}
	if len(changed) == 0 {
		return nil
	}
	for _, some := range warehouse.ActivitiesByMonth(changed) {
		lease, err := a.acquireLease(ctx, origins(some, (*warehouse.StoredActivity).ProductPartition))
		if err != nil {
			return err
		}
		a.metrics.revised.WithLabelValues("conversation_activity").Add(float64(len(some)))
		if err := a.lookup.ReviseActivities(ctx, some, lease, a.writer.Load()); err != nil {
			return err
		}
	}
	return nil
}

// reviseEvents writes the events whose users or conversations changed. It overwrites the list.
func (a *Service) reviseEvents(ctx context.Context, list []warehouse.StoredEvent) error {
	entities := make([]entity, len(list))
	for i := range list {
		entities[i] = entity{list[i].Workspace, list[i].ExternalUserID, list[i].Email}
	}
	users, err := a.resolveUsers(ctx, entities)
	if err != nil {
		return err
	}
	conversations, err := a.resolveStoredConversations(ctx, list, users)
	if err != nil {
		return err
	}
	changed := list[:0]
	for i, row := range list {
		if row.UserID != users[i] || row.ConversationID != conversations[i] {
			row.UserID, row.ConversationID = users[i], conversations[i]
			changed = append(changed, row)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, some := range warehouse.EventsByMonth(changed) {
		lease, err := a.acquireLease(ctx, origins(some, (*warehouse.StoredEvent).ProductPartition))
		if err != nil {
			return err
		}
		a.metrics.revised.WithLabelValues("events").Add(float64(len(some)))
		if err := a.lookup.ReviseEvents(ctx, some, lease); err != nil {
			return err
		}
	}
	return nil
}

// resolveStoredConversations finds the conversations of stored events with the given users.
func (a *Service) resolveStoredConversations(
	ctx context.Context, list []warehouse.StoredEvent, users []identity.ID,
) ([]identity.ID, error) {
	q := newConversationQuery()
	for i := range list {
		event := &list[i]
		switch {
		case event.Conversation != "":
			q.addName(event.Product, event.Conversation, i)
		case users[i] != identity.ID{}:
			q.addLookBack(warehouse.ProductUser{Product: event.Product, User: users[i]}, event.EventAt)
		}
	}
	found, err := q.run(ctx, a.lookup)
	if err != nil {
		return nil, err
	}
	conversations := make([]identity.ID, len(list))
	for i := range list {
		event := &list[i]
		if event.Conversation == "" {
			u := warehouse.ProductUser{Product: event.Product, User: users[i]}
			conversations[i], _ = found.activities[u].LatestBefore(event.EventAt)
		}
	}
	found.eachNamed(func(i int, id identity.ID) { conversations[i] = id })
	return conversations, nil
}
