package attribution

import (
	"context"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Batch is the mapped rows of a range of a partition's records. They are resolved together.
type Batch struct {
	Partition    stream.Partition
	Events       *warehouse.Events // Resolve fills in users, organizations and conversations
	Observations []Observation     // of identifies and activities
	Rebuilt      bool              // the partition's previous owner prepared the same range

	entities *identity.Batch // nil unless between Resolve and Complete
}

// Resolve fills in the users, organizations and conversations of a batch's events. The claims of the batch are written
// before it returns: a restart before the events are inserted writes the same claims, which changes nothing. Resolve
// views the memory of the batch until Complete. It returns ctx's error, or the host's if Retry gives up.
func (a *Service) Resolve(ctx context.Context, batch *Batch) error {
	if !a.config.Enabled || batch.Events.Rows() == 0 && len(batch.Observations) == 0 {
		return nil
	}
	if err := a.awaitPreload(ctx); err != nil {
		return err
	}
	r := a.newResolution(batch)
	r.addEntities()
	if err := r.retry(ctx, "identities_lookup", r.lookUp); err != nil {
		return err
	}
	r.observe()
	if err := r.writeClaims(ctx); err != nil {
		return err
	}
	return r.resolveConversations(ctx)
}

// Complete ends a batch: its rows are stored, or they never will be. To complete a batch twice is harmless.
func (a *Service) Complete(batch *Batch) {
	if batch.entities != nil {
		batch.entities.Complete()
		batch.entities = nil
	}
	if batch.Rebuilt && a.config.Enabled {
		// The previous owner may have inserted the same rows with users from older claims, and those may be the rows
		// that stay. So the partition's changes are replayed from its stored progress.
		a.mu.Lock()
		a.toRewind = append(a.toRewind, batch.Partition.ID)
		a.mu.Unlock()
		signal(a.pullNow)
	}
}

// resolution is the state of a batch in Resolve. Blocks are nil while they are empty.
type resolution struct {
	*Batch
	service  *Service
	products *partitionProducts
	writer   uint64

	newProducts   *warehouse.Products
	users         *warehouse.UserClaims
	organizations *warehouse.OrganizationClaims
	activities    *warehouse.Activities
	changes       changeSet
	folded        []byte // memory for a folded address
}

func (a *Service) newResolution(batch *Batch) *resolution {
	writer := a.writer.Load() // before it begins: the claims of a batch that began before renewWriter are pulled
	batch.entities = a.identities.BeginBatch()
	return &resolution{
		Batch: batch, service: a, products: a.productsOf(batch.Partition), writer: writer, changes: changeSet{},
	}
}

func (b *resolution) retry(ctx context.Context, operation string, try func(context.Context) error) error {
	return b.service.host.Retry(ctx, b.Partition, operation, try)
}

// addEntities adds the ids and addresses of all rows in their order, then of all observations.
func (b *resolution) addEntities() {
	b.service.identities.Lock()
	defer b.service.identities.Unlock()
	b.entities.Grow(b.Events.Rows() + len(b.Observations))
	for s := b.Events.UserRows(); s.Next(); {
		b.entities.Add(s.Workspace, s.ExternalUserID, s.Email)
	}
	for i := range b.Observations {
		c := &b.Observations[i].Claim
		b.entities.Add(c.Workspace, c.ExternalID, c.Email)
	}
}

// lookUp reads what the cache lacks.
func (b *resolution) lookUp(ctx context.Context) error {
	externalIDs, addresses := b.entities.Missing()
	if len(externalIDs)+len(addresses) == 0 {
		return nil
	}
	claims, states, err := b.service.lookup.Identities(ctx, externalIDs, addresses)
	if err == nil {
		b.entities.Load(claims, states)
	}
	return err
}

// observe adds all claims of the batch and resolves its users after that: the order within a batch does not matter.
func (b *resolution) observe() {
	b.service.identities.Lock()
	defer b.service.identities.Unlock()
	rows := b.Events.Rows()
	for s := b.Events.EntityRows(); s.Next(); {
		b.observeEvent(&s)
	}
	for i := range b.Observations {
		b.observeMessage(rows+i, &b.Observations[i])
	}
	for row := range rows {
		if id, known := b.entities.Resolve(row); known {
			b.Events.SetUser(row, id)
		}
	}
	for i := range b.Observations {
		if o := &b.Observations[i]; o.isActivity() {
			o.Activity.UserID, o.Activity.HasUser = b.entities.Resolve(rows + i)
			b.addActivity(&o.Activity)
		}
	}
}

func (b *resolution) observeEvent(s *warehouse.EntityRows) {
	b.addProduct(s.Workspace, s.Product)
	if s.Email != nil {
		c := identity.EmptyClaim
		c.Workspace, c.ExternalID, c.Email = s.Workspace, s.ExternalUserID, s.Email
		c.Event = identity.Timestamped{At: s.At, Text: s.Source}
		if s.UserName != nil {
			c.FirstName = identity.Timestamped{At: s.At, Text: s.UserName}
		}
		b.addClaim(s.Row, &c, false)
	}
	if s.ExternalOrganizationID != nil {
		o := identity.EmptyOrganizationClaim
		o.Workspace, o.ExternalID = s.Workspace, s.ExternalOrganizationID
		o.Event = identity.Timestamped{At: s.At, Text: s.Source}
		if s.OrganizationName != nil {
			o.FirstName = identity.Timestamped{At: s.At, Text: s.OrganizationName}
		}
		b.addOrganizationClaim(&o, false)
		b.Events.SetOrganization(s.Row, o.OrganizationID)
	}
}

// observeMessage adds the claims of an identify or an activity. An identify's claims are always written: the cache does
// not hold its properties, so it cannot tell whether they are new.
func (b *resolution) observeMessage(entity int, o *Observation) {
	if o.isActivity() {
		b.addProduct(o.Activity.Workspace, o.Activity.Product)
	}
	if o.identifiesUser() {
		b.addClaim(entity, &o.Claim, !o.isActivity())
	}
	if o.Organization.ExternalID != nil {
		b.addOrganizationClaim(&o.Organization, true)
	}
}

// addClaim adds a claim to the cache, and to the block if it is new or must be written always.
func (b *resolution) addClaim(entity int, c *identity.Claim, always bool) {
	change := b.entities.Observe(entity, c)
	if !change.New && !change.Reassigned && !always {
		return
	}
	c.Email, b.folded = identity.Fold(b.folded[:0], c.Email)
	if change.New || always {
		if b.users == nil {
			b.users = warehouse.NewUserClaims(b.writer)
		}
		b.users.Append(c)
	}
	if change.Reassigned {
		b.changes.addReassignment(c, change.PreviousUser)
	}
}

func (b *resolution) addOrganizationClaim(c *identity.OrganizationClaim, always bool) {
	if isNew := b.service.identities.ObserveOrganization(c); isNew || always {
		if b.organizations == nil {
			b.organizations = warehouse.NewOrganizationClaims()
		}
		b.organizations.Append(c)
	}
}

func (b *resolution) addProduct(workspace, product []byte) {
	if b.products.add(workspace, product) {
		if b.newProducts == nil {
			b.newProducts = warehouse.NewProducts()
		}
		b.newProducts.Append(workspace, product, b.Partition.ID)
	}
}

func (b *resolution) addActivity(a *warehouse.Activity) {
	if b.activities == nil {
		b.activities = warehouse.NewActivities(b.writer)
	}
	a.Partition = b.Partition.ID
	b.activities.Append(a)
	b.products.setActive(a.Product)
	if b.service.identities.ObserveConversation(a.Product, a.ExternalConversationID) {
		b.changes.addConversation(string(a.Workspace), string(a.Product), string(a.ExternalConversationID))
	}
	if a.HasUser {
		user := warehouse.ProductUser{Product: string(a.Product), User: a.UserID}
		b.changes.addActivity(string(a.Workspace), user, a.At)
	}
}

// writeClaims writes what the batch observed. The cache counts it as written from now on. So if the worker is stopped
// before, the service writes it later.
func (b *resolution) writeClaims(ctx context.Context) error {
	blocks := b.blocks()
	for i, block := range blocks {
		err := b.retry(ctx, "claims_write", func(ctx context.Context) error {
			return b.service.insert(ctx, block)
		})
		if err != nil {
			b.service.deferWrite(blocks[i:], b.changes)
			return err
		}
		if block == warehouse.IdempotentBlock(b.users) { // now, because after a restart the claims are not new any more
			b.service.enqueue(b.changes.takeReassignments())
		}
	}
	b.service.enqueue(b.changes)
	return nil
}

func (b *resolution) blocks() (blocks []warehouse.IdempotentBlock) {
	if b.newProducts != nil {
		blocks = append(blocks, b.newProducts)
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
	return blocks
}
