package attribution

import (
	"context"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Batch is what is attributed together: the mapped rows of a range of a partition's records.
type Batch struct {
	Partition    stream.Partition
	Events       *warehouse.Events // to be filled in
	Observations []Observation     // of identifies and activities
	Rebuilt      bool              // its range was prepared by the partition's last owner

	flight *identity.Batch // nil unless it is being resolved
}

// Resolve fills in the users, organizations and conversations of a batch's events. What the batch says of them is written
// down before its events are: whoever restarts in between finds it said already, which changes nothing. The memory of the
// batch must stay as it is until Complete.
func (a *Service) Resolve(ctx context.Context, batch *Batch) error {
	if !a.config.Enabled || batch.Events.Rows() == 0 && len(batch.Observations) == 0 {
		return nil
	}
	if err := a.awaitPreload(ctx); err != nil {
		return err
	}
	b := a.begin(batch)
	b.board()
	if err := b.retry(ctx, "identities_lookup", b.lookUp); err != nil {
		return err
	}
	b.learn()
	if err := b.write(ctx); err != nil {
		return err
	}
	return b.converse(ctx)
}

// Complete says that the batch's rows are stored, or never will be. Completing it twice is harmless.
func (a *Service) Complete(batch *Batch) {
	if batch.flight != nil {
		batch.flight.Complete()
		batch.flight = nil
	}
	if batch.Rebuilt && a.config.Enabled {
		// The last owner's rows may be those that stay, and be about whom it knew, whenever they came.
		a.mu.Lock()
		a.opened = append(a.opened, batch.Partition.ID)
		a.mu.Unlock()
		rouse(a.wake)
	}
}

// boarding is a batch on its way through attribution.
type boarding struct {
	*Batch
	a    *Service
	seen *products

	users         *warehouse.UserClaims // nil as long as there is nothing in it; so the others
	organizations *warehouse.OrganizationClaims
	activities    *warehouse.Activities
	products      *warehouse.Products
	news          newsOf
	folded        []byte
}

func (a *Service) begin(batch *Batch) *boarding {
	batch.flight = a.identities.BeginBatch()
	return &boarding{Batch: batch, a: a, seen: a.productsOf(batch.Partition), news: newsOf{}}
}

func (b *boarding) retry(ctx context.Context, operation string, try func(context.Context) error) error {
	return b.a.host.Retry(ctx, b.Partition, operation, try)
}

// board adds all subjects: the events' by their rows, then the others'.
func (b *boarding) board() {
	b.a.identities.Lock()
	defer b.a.identities.Unlock()
	rows := b.Events
	b.flight.Grow(rows.Rows() + len(b.Observations))
	for s := rows.UserRows(); s.Next(); {
		b.flight.Add(s.Workspace, s.ExternalUserID, s.Email)
	}
	for i := range b.Observations {
		c := &b.Observations[i].Claim
		b.flight.Add(c.Workspace, c.ExternalID, c.Email)
	}
}

// lookUp finds what the cache lacks.
func (b *boarding) lookUp(ctx context.Context) error {
	persons, addresses := b.flight.Missing()
	if len(persons)+len(addresses) == 0 {
		return nil
	}
	claims, holdings, err := b.a.lookup.Identities(ctx, persons, addresses)
	if err == nil {
		b.flight.Load(claims, holdings)
	}
	return err
}

// learn takes in what the chunk says, all of it before anybody is resolved: within a chunk too, the order does
// not matter.
func (b *boarding) learn() {
	b.a.identities.Lock()
	defer b.a.identities.Unlock()
	rows := b.Events
	for s := rows.EntityRows(); s.Next(); {
		b.learnEvent(&s)
	}
	for i := range b.Observations {
		b.learnOther(rows.Rows()+i, &b.Observations[i])
	}
	for row := range rows.Rows() {
		if id, known := b.flight.Resolve(row); known {
			rows.SetUser(row, id)
		}
	}
	for i := range b.Observations {
		if s := &b.Observations[i]; s.isActivity() {
			s.Activity.UserID, s.Activity.HasUser = b.flight.Resolve(rows.Rows() + i)
			b.addActivity(&s.Activity)
		}
	}
}

func (b *boarding) learnEvent(s *warehouse.EntityRows) {
	b.seeProduct(s.Workspace, s.Product)
	if s.Email != nil {
		c := identity.EmptyClaim
		c.Workspace, c.ExternalID, c.Email = s.Workspace, s.ExternalUserID, s.Email
		c.Event = identity.Timestamped{At: s.At, Text: s.Source}
		if s.UserName != nil {
			c.FirstName = identity.Timestamped{At: s.At, Text: s.UserName}
		}
		b.claim(s.Row, &c, false)
	}
	if s.ExternalOrganizationID != nil {
		o := identity.EmptyOrganizationClaim
		o.Workspace, o.ExternalID = s.Workspace, s.ExternalOrganizationID
		o.Event = identity.Timestamped{At: s.At, Text: s.Source}
		if s.OrganizationName != nil {
			o.FirstName = identity.Timestamped{At: s.At, Text: s.OrganizationName}
		}
		b.claimOrganization(&o, false)
		b.Events.SetOrganization(s.Row, o.OrganizationID)
	}
}

func (b *boarding) learnOther(j int, s *Observation) {
	if s.isActivity() {
		b.seeProduct(s.Activity.Workspace, s.Activity.Product)
	}
	if s.identifiesUser() {
		b.claim(j, &s.Claim, !s.isActivity()) // an identify's properties are not compared: it is written as it is
	}
	if s.Organization.ExternalID != nil {
		b.claimOrganization(&s.Organization, true)
	}
}

// claim learns from a claim and notes it down if there is anything new in it.
func (b *boarding) claim(j int, c *identity.Claim, anyway bool) {
	change := b.flight.Observe(j, c)
	if !change.New && !change.Reassigned && !anyway {
		return
	}
	c.Email, b.folded = identity.Fold(b.folded[:0], c.Email)
	if change.New || anyway {
		if b.users == nil {
			b.users = warehouse.NewUserClaims(b.a.writer)
		}
		b.users.Append(c)
	}
	if change.Reassigned {
		b.news.move(c, change.PreviousUser)
	}
}

func (b *boarding) claimOrganization(c *identity.OrganizationClaim, anyway bool) {
	if news := b.a.identities.ObserveOrganization(c); news || anyway {
		if b.organizations == nil {
			b.organizations = warehouse.NewOrganizationClaims()
		}
		b.organizations.Append(c)
	}
}

func (b *boarding) seeProduct(workspace, product []byte) {
	if !b.seen.see(workspace, product) {
		if b.products == nil {
			b.products = warehouse.NewProducts()
		}
		b.products.Append(workspace, product, b.Partition.ID)
	}
}

func (b *boarding) addActivity(a *warehouse.Activity) {
	if b.activities == nil {
		b.activities = warehouse.NewActivities(b.a.writer)
	}
	a.Partition = b.Partition.ID
	b.activities.Append(a)
	b.seen.activate(a.Product)
	if b.a.identities.ObserveConversation(a.Product, a.ExternalConversationID) {
		b.news.meet(string(a.Workspace), string(a.Product), string(a.ExternalConversationID))
	}
	if a.HasUser {
		b.news.act(string(a.Workspace), warehouse.ProductUser{Product: string(a.Product), User: a.UserID}, a.At)
	}
}

// write writes down what was learnt. It is true whatever becomes of the chunk, and the cache takes it for
// written: if the lane is given up before, the attributor writes it.
func (b *boarding) write(ctx context.Context) error {
	var blocks []warehouse.IdempotentBlock
	if b.products != nil {
		blocks = append(blocks, b.products)
	}
	if b.users != nil {
		blocks = append(blocks, b.users)
	}
	if b.organizations != nil {
		blocks = append(blocks, b.organizations)
	}
	if b.activities != nil {
		blocks = append(blocks, b.activities)
	}
	for i, block := range blocks {
		err := b.retry(ctx, "claims_write", func(ctx context.Context) error { return b.a.lookup.Insert(ctx, block) })
		if err != nil {
			b.a.owe(blocks[i:], b.news)
			return err
		}
		if block == warehouse.IdempotentBlock(b.users) { // at once: a restart finds nothing new in them
			b.a.announce(b.news.takePeople())
		}
	}
	b.a.announce(b.news)
	return nil
}
