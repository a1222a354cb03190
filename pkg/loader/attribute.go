package loader

import (
	"context"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// attribute finds out whom a chunk's events are about. What the chunk says of users, organizations and
// conversations is written down before its events are: whoever restarts in between finds it said already,
// which changes nothing.
func (l *partitionWorker) attribute(c *insertBatch) error {
	f, ok := c.rowBuilder.(*eventBuilder)
	if !ok || f.empty() || !l.service.config.Attribution {
		return nil
	}
	if err := l.service.attributor.awaitPreload(l.ctx); err != nil {
		return err
	}
	b := &boarding{lane: l, a: l.service.attributor, events: f, flight: l.service.attributor.identities.Begin(), news: newsOf{}}
	c.flight = b.flight
	b.board()
	if err := l.retry("identities_lookup", b.lookUp); err != nil {
		return err
	}
	b.learn()
	if err := b.write(); err != nil {
		return err
	}
	return b.converse()
}

func (f *eventBuilder) empty() bool {
	return len(f.observations) == 0 && (f.rows == nil || f.rows.Rows() == 0)
}

// boarding is a chunk on its way through attribution.
type boarding struct {
	lane   *partitionWorker
	a      *attributor
	events *eventBuilder
	flight *identity.Flight

	users         *warehouse.UserClaims // nil as long as there is nothing in it; so the others
	organizations *warehouse.OrganizationClaims
	activities    *warehouse.Activities
	products      *warehouse.Products
	news          newsOf
	folded        []byte
}

// board adds all subjects: the events' by their rows, then the others'.
func (b *boarding) board() {
	b.a.identities.Lock()
	defer b.a.identities.Unlock()
	rows := b.events.borrow()
	b.flight.Expect(rows.Rows() + len(b.events.observations))
	for s := rows.Persons(); s.Next(); {
		b.flight.Add(s.Workspace, s.ExternalUserID, s.Email)
	}
	for i := range b.events.observations {
		c := &b.events.observations[i].claim
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
		b.flight.Found(claims, holdings)
	}
	return err
}

// learn takes in what the chunk says, all of it before anybody is resolved: within a chunk too, the order does
// not matter.
func (b *boarding) learn() {
	b.a.identities.Lock()
	defer b.a.identities.Unlock()
	rows := b.events.borrow()
	for s := rows.Subjects(); s.Next(); {
		b.learnEvent(&s)
	}
	for i := range b.events.observations {
		b.learnOther(rows.Rows()+i, &b.events.observations[i])
	}
	for row := range rows.Rows() {
		if id, known := b.flight.Resolve(row); known {
			rows.SetUser(row, id)
		}
	}
	for i := range b.events.observations {
		if s := &b.events.observations[i]; s.isActivity() {
			s.activity.UserID, s.activity.HasUser = b.flight.Resolve(rows.Rows() + i)
			b.addActivity(&s.activity)
		}
	}
}

func (b *boarding) learnEvent(s *warehouse.Subjects) {
	b.seeProduct(s.Workspace, s.Product)
	if s.Email != nil {
		c := identity.Nothing
		c.Workspace, c.ExternalID, c.Email = s.Workspace, s.ExternalUserID, s.Email
		c.Event = identity.Said{At: s.At, Text: s.Source}
		if s.UserName != nil {
			c.FirstName = identity.Said{At: s.At, Text: s.UserName}
		}
		b.claim(s.Row, &c, false)
	}
	if s.ExternalOrganizationID != nil {
		o := identity.NothingOfOrganization
		o.Workspace, o.ExternalID = s.Workspace, s.ExternalOrganizationID
		o.Event = identity.Said{At: s.At, Text: s.Source}
		if s.OrganizationName != nil {
			o.FirstName = identity.Said{At: s.At, Text: s.OrganizationName}
		}
		b.claimOrganization(&o, false)
		b.events.rows.SetOrganization(s.Row, o.OrganizationID)
	}
}

func (b *boarding) learnOther(j int, s *observation) {
	if s.isActivity() {
		b.seeProduct(s.activity.Workspace, s.activity.Product)
	}
	if s.namesUser() {
		b.claim(j, &s.claim, !s.isActivity()) // an identify's properties are not compared: it is written as it is
	}
	if s.organization.ExternalID != nil {
		b.claimOrganization(&s.organization, true)
	}
}

// claim learns from a claim and notes it down if there is anything new in it.
func (b *boarding) claim(j int, c *identity.Claim, anyway bool) {
	change := b.flight.Learn(j, c)
	if !change.News && !change.Moved && !anyway {
		return
	}
	c.Email, b.folded = identity.Fold(b.folded[:0], c.Email)
	if change.News || anyway {
		if b.users == nil {
			b.users = warehouse.NewUserClaims(b.a.writer)
		}
		b.users.Append(c)
	}
	if change.Moved {
		b.news.move(c, change.From)
	}
}

func (b *boarding) claimOrganization(c *identity.OrganizationClaim, anyway bool) {
	if news := b.a.identities.LearnOrganization(c); news || anyway {
		if b.organizations == nil {
			b.organizations = warehouse.NewOrganizationClaims()
		}
		b.organizations.Append(c)
	}
}

func (b *boarding) seeProduct(workspace, product []byte) {
	if !b.lane.products.see(workspace, product) {
		if b.products == nil {
			b.products = warehouse.NewProducts()
		}
		b.products.Append(workspace, product, b.lane.ID)
	}
}

func (b *boarding) addActivity(a *warehouse.Activity) {
	if b.activities == nil {
		b.activities = warehouse.NewActivities(b.a.writer)
	}
	a.Partition = b.lane.ID
	b.activities.Append(a)
	b.lane.products.activate(a.Product)
	if b.a.identities.MeetConversation(a.Product, a.ExternalConversationID) {
		b.news.meet(string(a.Workspace), string(a.Product), string(a.ExternalConversationID))
	}
	if a.HasUser {
		b.news.act(string(a.Workspace), warehouse.ProductUser{Product: string(a.Product), User: a.UserID}, a.At)
	}
}

// write writes down what was learnt. It is true whatever becomes of the chunk, and the cache takes it for
// written: if the lane is given up before, the attributor writes it.
func (b *boarding) write() error {
	var blocks []warehouse.Facts
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
		err := b.lane.retry("claims_write", func(ctx context.Context) error { return b.a.lookup.Insert(ctx, block) })
		if err != nil {
			b.a.owe(blocks[i:], b.news)
			return err
		}
		if block == warehouse.Facts(b.users) { // at once: a restart finds nothing new in them
			b.a.announce(b.news.takePeople())
		}
	}
	b.a.announce(b.news)
	return nil
}
