package attribution

import (
	"context"
	"slices"
	"time"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// learn finds out what other loaders have learnt, and what was left undone in the partitions that have come.
func (a *Service) learn(ctx context.Context) error {
	if err := a.payBack(ctx); err != nil {
		return err
	}
	if err := a.resume(ctx); err != nil {
		return err
	}
	if err := a.hear(ctx); err != nil {
		return err
	}
	return a.save(ctx)
}

// resume goes back to where the last loaders of the partitions that have come were.
func (a *Service) resume(ctx context.Context) error {
	a.mu.Lock()
	opened := a.opened
	a.opened = nil
	a.mu.Unlock()
	if len(opened) == 0 {
		return nil
	}
	err := a.goBack(ctx, opened)
	if err != nil {
		a.mu.Lock()
		a.opened = append(a.opened, opened...)
		a.mu.Unlock()
	}
	return err
}

func (a *Service) goBack(ctx context.Context, opened []int32) error {
	progress, err := a.lookup.Progress(ctx, a.config.Group)
	if err != nil {
		return err
	}
	settled, err := a.lookup.SafeTime(ctx)
	if err != nil {
		return err
	}
	now, err := a.lookup.Now(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.learntTo.IsZero() {
		a.learntTo = settled
	}
	a.taken = now
	a.caughtUp = a.taken
	for _, id := range opened {
		from := time.Time{}
		if at, ok := progress[id]; ok {
			from = at.Add(-a.config.WriteTimeout) // announced later than written
		}
		a.learntTo = earliest(a.learntTo, from)
	}
	return nil
}

// leased tells whether partitions have come whose last loader may still revise rows: it had read them before it lost
// the partition, knows less than is known now, and writes last. When it cannot any more, all that it may not have
// known is gone back for, also what this loader has learnt and worked in since.
func (a *Service) leased(ctx context.Context) (bool, error) {
	if a.taken.IsZero() {
		return false, nil
	}
	if leased, err := a.lookup.LeaseMayBeActive(ctx, a.taken); err != nil || leased {
		return leased, err
	}
	now, err := a.lookup.Now(ctx)
	if err == nil {
		a.taken, a.caughtUp = time.Time{}, now
	}
	return false, err
}

// hear reads what other loaders have learnt, and what this one may have left undone in an earlier life.
func (a *Service) hear(ctx context.Context) error {
	if a.caughtUp.IsZero() {
		return nil // no partition has come yet
	}
	if leased, err := a.leased(ctx); err != nil || leased {
		return err
	}
	behind := a.learntTo.Before(a.caughtUp)
	if a.busy() {
		return nil // what is read now could not be kept
	}
	if !behind && time.Since(a.polled) < pollInterval {
		return nil
	}
	a.polled = time.Now()
	since := warehouse.ChangeFilter{After: a.learntTo, ExceptWriter: a.writer}
	if behind {
		since.ExceptWriter = 0 // what this one has written before a partition came to it counts too
	}
	var err error
	if since.Until, err = a.lookup.ActivityWatermark(ctx); err != nil {
		return err
	}
	if since.Until.Before(since.After) {
		return nil
	}
	of, to, err := a.read(ctx, since, behind)
	if err != nil {
		return err
	}
	a.announce(of)
	a.mu.Lock()
	a.learntTo = to
	a.mu.Unlock()
	if behind && to.Before(a.caughtUp) {
		rouse(a.wake)
	}
	return nil
}

// read makes news of what was written down in a span of time: of claims, and of activities; of these all, or only those of
// products that are spread, which may be another loader's. It may come less far than that.
func (a *Service) read(ctx context.Context, since warehouse.ChangeFilter, all bool) (of newsOf, to time.Time, err error) {
	of = newsOf{}
	learnt, err := a.lookup.ChangesSince(ctx, since)
	if err != nil {
		return nil, to, err
	}
	var addresses []identity.Name
	for i := range learnt.Claims {
		c := &learnt.Claims[i]
		a.identities.Merge(c)
		of.move(c, identity.ID{})
		if c.Email != nil {
			addresses = append(addresses, identity.Name{Workspace: c.Workspace, Name: c.Email})
		}
	}
	if len(addresses) > 0 {
		holders, err := a.lookup.UsersOfAddresses(ctx, addresses)
		if err != nil {
			return nil, to, err
		}
		for workspace, ids := range holders {
			n := of.of(workspace)
			n.from = append(n.from, ids...)
		}
	}
	since.Until = learnt.ReadTo
	to, err = a.recall(ctx, of, since, all)
	return of, to, err
}

// recall takes activities for news that may not have been worked in. What all lanes know by now of a conversation that was
// met before need not be told of it again, unless the news of that may have been lost.
func (a *Service) recall(ctx context.Context, of newsOf, since warehouse.ChangeFilter, all bool) (to time.Time, err error) {
	mine, err := a.watched(ctx, since.Workspace, all)
	if err != nil || len(mine) == 0 {
		return since.Until, err
	}
	activities, to, err := a.lookup.ActivitiesSince(ctx, mine, since)
	if err != nil {
		return to, err
	}
	for i := range activities {
		activity := &activities[i]
		a.conversing.note(activity.Product) // before it is announced: the flights that begin from now on look back
		if first := a.identities.ObserveRemoteConversation(activity.Product, activity.Conversation); first || all {
			of.meet(activity.Workspace, activity.Product, activity.Conversation)
		}
		of.hear(activity)
	}
	return to, nil
}

// watched are this loader's products whose activities are read: all, or those that are spread.
func (a *Service) watched(ctx context.Context, workspace string, all bool) (products []string, err error) {
	if all {
		var workspaces []string
		if workspace != "" {
			workspaces = []string{workspace}
		}
		return a.products(ctx, workspaces)
	}
	seen, err := a.lookup.SaltedProducts(ctx)
	if err != nil || len(seen) == 0 {
		return nil, err
	}
	s, err := a.share(ctx)
	if err != nil {
		return nil, err
	}
	return s.products(seen), nil
}

// readBack works in what a workspace's desk could not keep: all that was written down since then, some at a time. By now
// it is to be seen, or owed.
func (a *Service) readBack(ctx context.Context, d *desk) error {
	if err := a.payBack(ctx); err != nil {
		return err
	}
	now, err := a.lookup.Now(ctx)
	if err != nil {
		return err
	}
	for from := d.at.from.Add(-a.config.WriteTimeout); from.Before(now); { // announced later than written
		of, to, err := a.read(ctx, warehouse.ChangeFilter{After: from, Until: now, Workspace: d.workspace}, true)
		if err == nil {
			err = a.workIn(ctx, of)
		}
		if err != nil {
			return err
		}
		from = to
		a.mu.Lock()
		d.at.from = from.Add(a.config.WriteTimeout)
		a.mu.Unlock()
	}
	return nil
}

// save notes the progress, now and then.
func (a *Service) save(ctx context.Context) error {
	if time.Since(a.saved) < saveInterval {
		return nil
	}
	owned := a.ownedPartitions()
	a.mu.Lock()
	owned = slices.DeleteFunc(owned, func(id int32) bool { return slices.Contains(a.opened, id) }) // not resumed yet
	a.mu.Unlock()
	if len(owned) > 0 {
		if err := a.lookup.SaveProgress(ctx, a.config.Group, owned, a.progress()); err != nil {
			return err
		}
	}
	a.saved = time.Now()
	return nil
}
