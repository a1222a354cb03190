package warehouse

import (
	"time"

	"github.com/millrace/millrace/pkg/column"
	"github.com/millrace/millrace/pkg/identity"
)

// IdempotentBlock holds rows that have the same effect however often they are inserted.
type IdempotentBlock interface{ self() *block }

// UserClaims is a block of the table user_claims.
type UserClaims struct{ rowBlock[identity.Claim] }

// NewUserClaims returns an empty block. The writer identifies a running loader: see ChangeFilter.
func NewUserClaims(writer uint64) *UserClaims {
	type claim = identity.Claim
	return &UserClaims{newRowBlock("user_claims", []columnOf[claim]{
		lowCardinality("workspace_id", func(c *claim) []byte { return c.Workspace }),
		text("external_user_id", func(c *claim) []byte { return c.ExternalID }),
		text("email", func(c *claim) []byte { return c.Email }),
		uuids("user_id", func(c *claim) identity.ID { return c.UserID }),
		timedText("explicit_first", func(c *claim) *identity.Timestamped { return &c.Explicit }),
		timedText("event_first", func(c *claim) *identity.Timestamped { return &c.Event }),
		timedText("name_first", func(c *claim) *identity.Timestamped { return &c.FirstName }),
		timedText("name_last", func(c *claim) *identity.Timestamped { return &c.LastName }),
		int64s("email_last", signed, func(c *claim) int64 { return c.EmailAt }),
		timedText("organization_last", func(c *claim) *identity.Timestamped { return &c.Organization }),
		timedText("properties_last", func(c *claim) *identity.Timestamped { return &c.Properties }),
		int64s("writer", unsigned, func(*claim) int64 { return int64(writer) }),
	})}
}

// OrganizationClaims is a block of the table organization_claims.
type OrganizationClaims struct {
	rowBlock[identity.OrganizationClaim]
}

// NewOrganizationClaims returns an empty block.
func NewOrganizationClaims() *OrganizationClaims {
	type claim = identity.OrganizationClaim
	return &OrganizationClaims{newRowBlock("organization_claims", []columnOf[claim]{
		lowCardinality("workspace_id", func(c *claim) []byte { return c.Workspace }),
		text("external_organization_id", func(c *claim) []byte { return c.ExternalID }),
		uuids("organization_id", func(c *claim) identity.ID { return c.OrganizationID }),
		timedText("explicit_first", func(c *claim) *identity.Timestamped { return &c.Explicit }),
		timedText("event_first", func(c *claim) *identity.Timestamped { return &c.Event }),
		timedText("name_first", func(c *claim) *identity.Timestamped { return &c.FirstName }),
		timedText("name_last", func(c *claim) *identity.Timestamped { return &c.LastName }),
	})}
}

// Activity is one activity of a conversation.
type Activity struct {
	Workspace, Product, ExternalConversationID []byte
	ExternalUserID, Email                      []byte // the address in lower case
	At                                         int64  // Unix milliseconds
	Properties                                 []byte
	ReceivedAt                                 int64 // Unix microseconds
	Version                                    uint64
	Partition                                  int32 // of the record

	ConversationID identity.ID
	UserID         identity.ID
	HasUser        bool
}

// Activities is a block of the table conversation_activity.
type Activities struct{ rowBlock[Activity] }

// NewActivities returns an empty block. The writer identifies a running loader: see ChangeFilter.
func NewActivities(writer uint64) *Activities {
	return &Activities{newRowBlock("conversation_activity", activityColumns(writer))}
}

func activityColumns(writer uint64) []columnOf[Activity] {
	return []columnOf[Activity]{
		lowCardinality("workspace_id", func(a *Activity) []byte { return a.Workspace }),
		lowCardinality("product_id", func(a *Activity) []byte { return a.Product }),
		text("external_conversation_id", func(a *Activity) []byte { return a.ExternalConversationID }),
		uuids("conversation_id", func(a *Activity) identity.ID { return a.ConversationID }),
		int64s("activity_at", milliseconds, func(a *Activity) int64 { return a.At }),
		text("external_user_id", func(a *Activity) []byte { return a.ExternalUserID }),
		text("email", func(a *Activity) []byte { return a.Email }),
		other("user_id", newNullable("UUID", 16), func(c *column.NullableFixed, a *Activity) {
			c.AppendFlag(a.HasUser)
			c.Values.AppendUUID(a.UserID)
		}),
		text("properties", func(a *Activity) []byte { return a.Properties }),
		int64s("received_at", milliseconds, func(a *Activity) int64 { return a.ReceivedAt / 1000 }),
		int64s("version", unsigned, func(a *Activity) int64 { return int64(a.Version) }),
		int32s("kafka_partition", func(a *Activity) int32 { return a.Partition }),
		int64s("writer", unsigned, func(*Activity) int64 { return int64(writer) }),
	}
}

// productRow says that a partition has records of a product.
type productRow struct {
	workspace, product []byte
	partition          int32
}

// Products is a block of the table products.
type Products struct{ rowBlock[productRow] }

// NewProducts returns an empty block.
func NewProducts() *Products {
	return &Products{newRowBlock("products", []columnOf[productRow]{
		text("workspace_id", func(r *productRow) []byte { return r.workspace }),
		text("product_id", func(r *productRow) []byte { return r.product }),
		int32s("seen_in", func(r *productRow) int32 { return r.partition + 1 }),
	})}
}

// Append adds a product that a partition has records of.
func (b *Products) Append(workspace, product []byte, partition int32) {
	b.rowBlock.Append(&productRow{workspace, product, partition})
}

// pulledPartition says how far a loader group has pulled remote changes into a partition's rows.
type pulledPartition struct {
	group     string
	partition int32
	to        time.Time
}

func newProgress() rowBlock[pulledPartition] {
	return newRowBlock("attribution_progress", []columnOf[pulledPartition]{
		text("loader_group", func(p *pulledPartition) []byte { return []byte(p.group) }),
		int32s("partition", func(p *pulledPartition) int32 { return p.partition }),
		int64s("pulled_to", microseconds, func(p *pulledPartition) int64 { return p.to.UnixMicro() }),
	})
}
