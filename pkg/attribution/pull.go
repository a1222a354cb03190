package attribution

import (
	"context"
	"math/rand/v2"
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
	watermark, err := a.lookup.Watermark(ctx)
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
		a.pulledUntil = watermark
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
	a.renewWriter()
	now, err := a.lookup.Now(ctx)
	if err == nil {
		a.assignedAt, a.replayUntil = time.Time{}, now
	}
	return false, err
}

// renewWriter makes this process a new writer. The changes of earlier writers are pulled. A claim of an earlier writer
// that is written again by the new one is another row: a merge cannot move it past the range that is pulled. A
// conversation that is written again counts as new.
func (a *Service) renewWriter() {
	a.writer.Store(rand.Uint64())
	a.identities.ForgetConversations()
}

// pullChanges queues the changes that other writers wrote. Earlier writers of this process are among them.
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
	until, err := a.lookup.Watermark(ctx)
	if err != nil || until.Before(a.pulledUntil) {
		return err
	}
	filter := warehouse.ChangeFilter{After: a.pulledUntil, Until: until, ExceptWriter: a.writer.Load()}
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
// products with key salting, which other loaders write as well.
func (a *Service) readChanges(
	ctx context.Context, filter warehouse.ChangeFilter, replays bool,
) (set changeSet, to time.Time, err error) {
	set = changeSet{}
	changes, err := a.lookup.ChangesSince(ctx, filter)
	if err != nil {
		return nil, to, err
	}
	if err := a.addClaims(ctx, set, changes.Claims); err != nil {
		return nil, to, err
	}
	filter.Until = changes.ReadTo
	products, err := a.pulledProducts(ctx, replays)
	if err != nil || len(products) == 0 {
		return set, filter.Until, err
	}
	activities, to, err := a.lookup.ActivitiesSince(ctx, products, filter)
	a.addActivities(set, activities, replays)
	return set, to, err
}

// addClaims merges stored claims into the cache, and adds their entities and all users of their addresses to the set.
func (a *Service) addClaims(ctx context.Context, set changeSet, claims []identity.Claim) error {
	var addresses []identity.Name
	for i := range claims {
		c := &claims[i]
		a.identities.Merge(c)
		set.addReassignment(c, identity.ID{})
		if c.Email != nil {
			addresses = append(addresses, identity.Name{Workspace: c.Workspace, Name: c.Email})
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	users, err := a.lookup.UsersOfAddresses(ctx, addresses)
	for workspace, ids := range users {
		n := set.of(workspace)
		n.previousUsers = append(n.previousUsers, ids...)
	}
	return err
}

// addActivities adds stored activities to the set. A conversation that is in the cache is known to all workers; it is
// added only if its change may have been lost.
func (a *Service) addActivities(set changeSet, activities []warehouse.StoredActivity, mayBeLost bool) {
	for i := range activities {
		row := &activities[i]
		a.activeProducts.set(row.Product) // before it is queued: batches that begin later look back
		if first := a.identities.ObserveRemoteConversation(row.Product, row.Conversation); first || mayBeLost {
			set.addConversation(row.Workspace, row.Product, row.Conversation)
		}
		set.addStoredActivity(row)
	}
}

// pulledProducts returns this loader's products whose activities are pulled.
func (a *Service) pulledProducts(ctx context.Context, replays bool) ([]string, error) {
	if replays {
		return a.ownedProducts(ctx, nil)
	}
	salted, err := a.lookup.SaltedProducts(ctx)
	if err != nil || len(salted) == 0 {
		return nil, err
	}
	o, err := a.ownership(ctx)
	if err != nil {
		return nil, err
	}
	return o.products(salted), nil
}

// ownedProducts returns the products of workspaces that have rows of owned partitions. No workspace stands for all.
func (a *Service) ownedProducts(ctx context.Context, workspaces []string) ([]string, error) {
	products, err := a.lookup.Products(ctx, workspaces)
	if err != nil {
		return nil, err
	}
	o, err := a.ownership(ctx)
	if err != nil {
		return nil, err
	}
	return o.products(products), nil
}

// rereadChanges applies the changes that a queue dropped: all that were written since, page by page in the order of the
// sorting keys. Each change is visible by now, or its write is deferred. A change that is written during the reread is
// queued by its writer.
func (a *Service) rereadChanges(ctx context.Context, workspace string, r *reread) error {
	if err := a.flushDeferred(ctx); err != nil {
		return err
	}
	if _, err := a.lookup.Now(ctx); err != nil { // the replica catches up
		return err
	}
	since := r.from.Add(-a.config.WriteTimeout) // a change is queued some time after it is written
	for !r.claimsDone {
		cursor := r.claims
		claims, more, err := a.lookup.SweepClaims(ctx, workspace, since, &cursor)
		if err == nil {
			err = a.reviseClaims(ctx, claims)
		}
		if err != nil {
			return err
		}
		r.claims, r.claimsDone = cursor, !more
	}
	products, err := a.ownedProducts(ctx, []string{workspace})
	if err != nil {
		return err
	}
	for _, product := range products {
		if product < r.product {
			continue
		}
		if product > r.product {
			r.product, r.activities = product, warehouse.ActivityCursor{}
		}
		if err := a.rereadActivities(ctx, since, r); err != nil {
			return err
		}
	}
	return nil
}

func (a *Service) reviseClaims(ctx context.Context, claims []identity.Claim) error {
	set := changeSet{}
	if err := a.addClaims(ctx, set, claims); err != nil {
		return err
	}
	return a.revise(ctx, set)
}

// rereadActivities applies the activities of r.product.
func (a *Service) rereadActivities(ctx context.Context, since time.Time, r *reread) error {
	for more := true; more; {
		cursor := r.activities
		var activities []warehouse.StoredActivity
		var err error
		if activities, more, err = a.lookup.SweepActivities(ctx, r.product, since, &cursor); err != nil {
			return err
		}
		set := changeSet{}
		a.addActivities(set, activities, true)
		if err := a.revise(ctx, set); err != nil {
			return err
		}
		r.activities = cursor
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
