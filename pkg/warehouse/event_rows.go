package warehouse

import (
	"github.com/millrace/millrace/pkg/column"
	"github.com/millrace/millrace/pkg/identity"
)

// EntityRows iterates over a block of events and reads back what identifies users, organizations and conversations.
// The fields are views of the block; nil is null.
type EntityRows struct {
	events    *Events
	usersOnly bool
	Row       int

	Workspace, Product, Source      []byte
	At                              int64 // Unix milliseconds
	ExternalUserID, Email, UserName []byte
	ExternalOrganizationID          []byte
	OrganizationName                []byte
	ExternalConversationID          []byte

	user, email, name, organization, organizationName, conversation column.StringReader
}

// EntityRows returns an iterator before the first row.
func (b *Events) EntityRows() EntityRows { return EntityRows{events: b, Row: -1} }

// UserRows returns an iterator that fills only Workspace, ExternalUserID and Email.
func (b *Events) UserRows() EntityRows { return EntityRows{events: b, Row: -1, usersOnly: true} }

// Next moves to the next row. It returns false after the last one.
func (r *EntityRows) Next() bool {
	b := r.events
	if r.Row++; r.Row == b.Rows() {
		return false
	}
	r.Workspace = b.workspace.Value(r.Row)
	r.ExternalUserID = column.NextNullableString(b.externalUserID, r.Row, &r.user)
	r.Email = column.NextNullableString(b.userEmail, r.Row, &r.email)
	if r.usersOnly {
		return true
	}
	r.Product, r.Source = b.product.Value(r.Row), b.source.Value(r.Row)
	r.At = b.eventAt.Int64(r.Row)
	r.UserName = column.NextNullableString(b.userName, r.Row, &r.name)
	r.ExternalOrganizationID = column.NextNullableString(b.externalOrganizationID, r.Row, &r.organization)
	r.OrganizationName = column.NextNullableString(b.organizationName, r.Row, &r.organizationName)
	r.ExternalConversationID = column.NextNullableString(b.externalConversationID, r.Row, &r.conversation)
	return true
}

// KeyRows iterates over a block of events and reads back the sorting keys. The slices are views of the block.
type KeyRows struct {
	events *Events
	Row    int

	Product, InsertID []byte
	KeyAt, ReceivedAt int64 // Unix milliseconds

	insertID column.StringReader
}

// KeyRows returns an iterator before the first row.
func (b *Events) KeyRows() KeyRows { return KeyRows{events: b, Row: -1} }

// Next moves to the next row. It returns false after the last one.
func (k *KeyRows) Next() bool {
	b := k.events
	if k.Row++; k.Row == b.Rows() {
		return false
	}
	k.Product = b.product.Value(k.Row)
	k.InsertID = b.insertID.Next(&k.insertID)
	k.KeyAt, k.ReceivedAt = b.eventKeyAt.Int64(k.Row), b.receivedAt.Int64(k.Row)
	return true
}

// HasExternalConversations reports whether any row names a conversation.
func (b *Events) HasExternalConversations() bool { return b.externalConversationID.HasValues() }

// Products returns the distinct products of the rows. They are views of the block.
func (b *Events) Products() []string { return b.product.Distinct() }

// SetUser sets the user of a row.
func (b *Events) SetUser(row int, id identity.ID) { column.SetUUID(b.userID, row, id) }

// SetOrganization sets the organization of a row.
func (b *Events) SetOrganization(row int, id identity.ID) { column.SetUUID(b.organizationID, row, id) }

// SetConversation sets the conversation of a row.
func (b *Events) SetConversation(row int, id identity.ID) { column.SetUUID(b.conversationID, row, id) }

// User returns the user of a row, and false if it has none.
func (b *Events) User(row int) (id identity.ID, ok bool) { return column.UUID(b.userID, row) }
