package attribution

import (
	"context"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// pull is a round of pullLoop: deferred writes, then new partitions, then remote changes.
func (a *Service) pull(ctx context.Context) error {
	steps := []func(context.Context) error{a.flushDeferred, a.rewindAssigned, a.pullChanges, a.saveProgress}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rewindAssigned rewinds for the partitions that were assigned since the last round.
func (a *Service) rewindAssigned(ctx context.Context) error {
	a.mu.Lock()
	assigned := a.toRewind
	a.toRewind = nil
	a.mu.Unlock()
	if len(assigned) == 0 {
		return nil
	}
	err := a.rewind(ctx, assigned)
	if err != nil {
		a.mu.Lock()
		a.toRewind = append(a.toRewind, assigned...)
		a.mu.Unlock()
	}
	return err
}

// rewind moves pulledUntil back to the stored progress of partitions. Their previous owners may not have applied later
// changes.
func (a *Service) rewind(ctx context.Context, partitions []int32) error {
	progress, err := a.lookup.Progress(ctx, a.config.Group)
	if err != nil {
		return err
	}
	safe, err := a.lookup.SafeTime(ctx)
	if err != nil {
		return err
	}
	now, err := a.lookup.Now(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pulledUntil.IsZero() {
		a.pulledUntil = safe
	}
	a.assignedAt, a.replayUntil = now, now
	for _, id := range partitions {
		from := time.Time{}
		if at, ok := progress[id]; ok {
			from = at.Add(-a.config.WriteTimeout) // a change is queued some time after it is written
		}
		a.pulledUntil = earliest(a.pulledUntil, from)
	}
	return nil
}

// predecessorMayRevise returns whether a previous owner of an assigned partition may still revise rows. When none can
// any more, all changes up to now are replayed: a predecessor may have written last, without knowing them.
func (a *Service) predecessorMayRevise(ctx context.Context) (bool, error) {
	if a.assignedAt.IsZero() {
		return false, nil
	}
	if active, err := a.lookup.LeaseMayBeActive(ctx, a.assignedAt); err != nil || active {
		return active, err
	}
	now, err := a.lookup.Now(ctx)
	if err == nil {
		a.assignedAt, a.replayUntil = time.Time{}, now
	}
	return false, err
}

// pullChanges queues the changes that other loaders wrote, and until replayUntil those of this process as well.
func (a *Service) pullChanges(ctx context.Context) error {
	if a.replayUntil.IsZero() {
		return nil // no partition was assigned yet
	}
	if may, err := a.predecessorMayRevise(ctx); err != nil || may {
		return err
	}
	replays := a.pulledUntil.Before(a.replayUntil)
	if a.backlogged() || !replays && time.Since(a.pulledAt) < pollInterval {
		return nil
	}
	a.pulledAt = time.Now()
	until, err := a.lookup.ActivityWatermark(ctx)
	if err != nil || until.Before(a.pulledUntil) {
		return err
	}
	filter := warehouse.ChangeFilter{After: a.pulledUntil, Until: until, ExceptWriter: a.writer}
	if replays {
		filter.ExceptWriter = 0
	}
	set, to, err := a.readChanges(ctx, filter, replays)
	if err != nil {
		return err
	}
	a.enqueue(set)
	a.mu.Lock()
	a.pulledUntil = to
	a.mu.Unlock()
	if replays && to.Before(a.replayUntil) {
		signal(a.pullNow)
	}
	return nil
}

// readChanges reads the claims and activities that were written in a range, and returns the end of what it read: the
// range may hold more than one page. replays says whether activities of all owned products are read, or only of
// products with key salting, whose activities may be of other loaders.
func (a *Service) readChanges(
	ctx context.Context, filter warehouse.ChangeFilter, replays bool,
) (set changeSet, to time.Time, err error) {
	set = changeSet{}
	changes, err := a.lookup.ChangesSince(ctx, filter)
	if err != nil {
		return nil, to, err
	}
	var addresses []identity.Name
	for i := range changes.Claims {
		c := &changes.Claims[i]
		a.identities.Merge(c)
		set.addReassignment(c, identity.ID{})
		if c.Email != nil {
			addresses = append(addresses, identity.Name{Workspace: c.Workspace, Name: c.Email})
		}
	}
	if len(addresses) > 0 {
		users, err := a.lookup.UsersOfAddresses(ctx, addresses)
		if err != nil {
			return nil, to, err
		}
		for workspace, ids := range users {
			n := set.of(workspace)
			n.previousUsers = append(n.previousUsers, ids...)
		}
	}
	filter.Until = changes.ReadTo
	to, err = a.replayActivities(ctx, set, filter, replays)
	return set, to, err
}

// replayActivities adds the activities of a range to the set. A conversation that is in the cache is known to all
// workers; it is added only if its change may have been lost.
func (a *Service) replayActivities(
	ctx context.Context, set changeSet, filter warehouse.ChangeFilter, replays bool,
) (to time.Time, err error) {
	products, err := a.pulledProducts(ctx, filter.Workspace, replays)
	if err != nil || len(products) == 0 {
		return filter.Until, err
	}
	activities, to, err := a.lookup.ActivitiesSince(ctx, products, filter)
	if err != nil {
		return to, err
	}
	for i := range activities {
		row := &activities[i]
		a.activeProducts.set(row.Product) // before it is queued: batches that begin later look back
		if first := a.identities.ObserveRemoteConversation(row.Product, row.Conversation); first || replays {
			set.addConversation(row.Workspace, row.Product, row.Conversation)
		}
		set.addStoredActivity(row)
	}
	return to, nil
}

// pulledProducts returns this loader's products whose activities are read. workspace "" stands for all.
func (a *Service) pulledProducts(ctx context.Context, workspace string, replays bool) ([]string, error) {
	var products []warehouse.ProductPartition
	var err error
	switch {
	case !replays:
		products, err = a.lookup.SaltedProducts(ctx)
	case workspace == "":
		products, err = a.lookup.Products(ctx, nil)
	default:
		products, err = a.lookup.Products(ctx, []string{workspace})
	}
	if err != nil || len(products) == 0 {
		return nil, err
	}
	o, err := a.ownership(ctx)
	if err != nil {
		return nil, err
	}
	return o.products(products), nil
}

// reread applies the changes that a queue dropped: all that were written since, page by page. By now they are visible,
// or their writes are deferred.
func (a *Service) reread(ctx context.Context, q *workspaceQueue) error {
	if err := a.flushDeferred(ctx); err != nil {
		return err
	}
	now, err := a.lookup.Now(ctx)
	if err != nil {
		return err
	}
	for from := q.running.from.Add(-a.config.WriteTimeout); from.Before(now); {
		filter := warehouse.ChangeFilter{After: from, Until: now, Workspace: q.workspace}
		set, to, err := a.readChanges(ctx, filter, true)
		if err == nil {
			err = a.revise(ctx, set)
		}
		if err != nil {
			return err
		}
		from = to
		a.mu.Lock()
		q.running.from = from.Add(a.config.WriteTimeout)
		a.mu.Unlock()
	}
	return nil
}

// saveProgress stores the progress of the owned partitions every saveInterval.
func (a *Service) saveProgress(ctx context.Context) error {
	if time.Since(a.savedAt) < saveInterval {
		return nil
	}
	owned := a.ownedPartitions()
	a.mu.Lock()
	owned = slices.DeleteFunc(owned, func(id int32) bool { return slices.Contains(a.toRewind, id) })
	a.mu.Unlock()
	if len(owned) > 0 {
		if err := a.lookup.SaveProgress(ctx, a.config.Group, owned, a.progress()); err != nil {
			return err
		}
	}
	a.savedAt = time.Now()
	return nil
}
