package warehouse

import "github.com/millrace/millrace/pkg/identity"

// IdempotentBlock is a table's rows on their way that mean the same however often they are written.
type IdempotentBlock interface{ self() *block }

// UserClaims is a block of the user_claims table.
type UserClaims struct {
	block

	workspace                  *dictionary
	externalID, email          *text
	userID                     *fixed
	explicit, event, firstName *said
	lastName                   *said
	emailSaid                  *fixed
	organization, properties   *said
	writer                     *fixed
	writerID                   uint64
}

// NewUserClaims makes an empty block. The writer is one loader, as long as it runs.
func NewUserClaims(writer uint64) *UserClaims {
	b := &UserClaims{block: block{table: "user_claims"}, writerID: writer}
	b.workspace = b.addDictionary("workspace_id", false)
	b.externalID = b.addText("external_user_id")
	b.email = b.addText("email")
	b.userID = b.addFixed("user_id", "UUID", 16)
	b.explicit = b.addSaid("explicit_first")
	b.event = b.addSaid("event_first")
	b.firstName = b.addSaid("name_first")
	b.lastName = b.addSaid("name_last")
	b.emailSaid = b.addFixed("email_last", "Int64", 8)
	b.organization = b.addSaid("organization_last")
	b.properties = b.addSaid("properties_last")
	b.writer = b.addFixed("writer", "UInt64", 8)
	return b
}

// Append adds a claim. What it views is copied.
func (b *UserClaims) Append(c *identity.Claim) {
	b.workspace.put(c.Workspace)
	b.externalID.put(c.ExternalID)
	b.email.put(c.Email)
	b.userID.putID(c.UserID)
	b.explicit.put(c.Explicit)
	b.event.put(c.Event)
	b.firstName.put(c.FirstName)
	b.lastName.put(c.LastName)
	b.emailSaid.put64(uint64(c.EmailAt))
	b.organization.put(c.Organization)
	b.properties.put(c.Properties)
	b.writer.put64(b.writerID)
}

// OrganizationClaims is a block of the organization_claims table.
type OrganizationClaims struct {
	block

	workspace                            *dictionary
	externalID                           *text
	organizationID                       *fixed
	explicit, event, firstName, lastName *said
}

// NewOrganizationClaims makes an empty block.
func NewOrganizationClaims() *OrganizationClaims {
	b := &OrganizationClaims{block: block{table: "organization_claims"}}
	b.workspace = b.addDictionary("workspace_id", false)
	b.externalID = b.addText("external_organization_id")
	b.organizationID = b.addFixed("organization_id", "UUID", 16)
	b.explicit = b.addSaid("explicit_first")
	b.event = b.addSaid("event_first")
	b.firstName = b.addSaid("name_first")
	b.lastName = b.addSaid("name_last")
	return b
}

// Append adds a claim. What it views is copied.
func (b *OrganizationClaims) Append(c *identity.OrganizationClaim) {
	b.workspace.put(c.Workspace)
	b.externalID.put(c.ExternalID)
	b.organizationID.putID(c.OrganizationID)
	b.explicit.put(c.Explicit)
	b.event.put(c.Event)
	b.firstName.put(c.FirstName)
	b.lastName.put(c.LastName)
}

// Activities is a block of the conversation_activity table.
type Activities struct {
	block

	workspace, product     *dictionary
	externalConversationID *text
	conversationID         *fixed
	activityAt             *fixed
	externalUserID, email  *text
	userID                 *nullable[*fixed]
	properties             *text
	receivedAt, version    *fixed
	partition, writer      *fixed
	writerID               uint64
}

// Activity is one activity of a conversation.
type Activity struct {
	Workspace, Product, ExternalConversationID []byte
	ExternalUserID, Email                      []byte // folded
	At                                         int64  // Unix milliseconds
	Properties                                 []byte
	ReceivedAt                                 int64 // Unix microseconds
	Version                                    uint64
	Partition                                  int32 // that it came from

	ConversationID identity.ID
	UserID         identity.ID
	HasUser        bool
}

// NewActivities makes an empty block. The writer is one loader, as long as it runs.
func NewActivities(writer uint64) *Activities {
	b := &Activities{block: block{table: "conversation_activity"}, writerID: writer}
	b.workspace = b.addDictionary("workspace_id", false)
	b.product = b.addDictionary("product_id", false)
	b.externalConversationID = b.addText("external_conversation_id")
	b.conversationID = b.addFixed("conversation_id", "UUID", 16)
	b.activityAt = b.addFixed("activity_at", dateTime64, 8)
	b.externalUserID = b.addText("external_user_id")
	b.email = b.addText("email")
	b.userID = b.addNullableFixed("user_id", "UUID", 16)
	b.properties = b.addText("properties")
	b.receivedAt = b.addFixed("received_at", dateTime64, 8)
	b.version = b.addFixed("version", "UInt64", 8)
	b.partition = b.addFixed("kafka_partition", "Int32", 4)
	b.writer = b.addFixed("writer", "UInt64", 8)
	return b
}

// Append adds an activity. What it views is copied.
func (b *Activities) Append(a *Activity) {
	b.workspace.put(a.Workspace)
	b.product.put(a.Product)
	b.externalConversationID.put(a.ExternalConversationID)
	b.conversationID.putID(a.ConversationID)
	b.activityAt.put64(uint64(a.At))
	b.externalUserID.put(a.ExternalUserID)
	b.email.put(a.Email)
	if putNothing(b.userID); a.HasUser {
		putID(b.userID, b.userID.Rows()-1, a.UserID)
	}
	b.properties.put(a.Properties)
	b.receivedAt.put64(uint64(a.ReceivedAt / 1000))
	b.version.put64(a.Version)
	b.partition.put32(uint32(a.Partition))
	b.writer.put64(b.writerID)
}

// Products is a block of the products table.
type Products struct {
	block
	workspace, product *text
	seenIn             *fixed
}

// NewProducts makes an empty block.
func NewProducts() *Products {
	b := &Products{block: block{table: "products"}}
	b.workspace = b.addText("workspace_id")
	b.product = b.addText("product_id")
	b.seenIn = b.addFixed("seen_in", "Int32", 4)
	return b
}

// Append adds a product that has been seen in a partition.
func (b *Products) Append(workspace, product []byte, partition int32) {
	b.workspace.put(workspace)
	b.product.put(product)
	b.seenIn.put32(uint32(partition + 1))
}
