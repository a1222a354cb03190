package warehouse

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/millrace/millrace/pkg/identity"
)

// EntityRows reads back from a block of events who they are about: the columns hold it, so nothing is kept twice.
type EntityRows struct {
	events  *Events
	persons bool
	Row     int

	Workspace, Product, Source      []byte
	At                              int64 // Unix milliseconds
	ExternalUserID, Email, UserName []byte
	ExternalOrganizationID          []byte
	OrganizationName                []byte
	ExternalConversationID          []byte

	user, email, name, organization, organizationName, conversation cursor
}

// EntityRows starts before the first row. What it shows views the block.
func (b *Events) EntityRows() EntityRows { return EntityRows{events: b, Row: -1} }

// UserRows is Subjects with no more than workspaces, external ids and addresses.
func (b *Events) UserRows() EntityRows { return EntityRows{events: b, Row: -1, persons: true} }

// Next goes on to the next row, if there is one.
func (s *EntityRows) Next() bool {
	b := s.events
	if s.Row++; s.Row == b.Rows() {
		return false
	}
	s.Workspace = b.workspace.at(s.Row)
	s.ExternalUserID = textAt(b.externalUserID, s.Row, &s.user)
	s.Email = textAt(b.userEmail, s.Row, &s.email)
	if s.persons {
		return true
	}
	s.Product, s.Source = b.product.at(s.Row), b.source.at(s.Row)
	s.At = b.eventAt.get64(s.Row)
	s.UserName = textAt(b.userName, s.Row, &s.name)
	s.ExternalOrganizationID = textAt(b.externalOrganizationID, s.Row, &s.organization)
	s.OrganizationName = textAt(b.organizationName, s.Row, &s.organizationName)
	s.ExternalConversationID = textAt(b.externalConversationID, s.Row, &s.conversation)
	return true
}

// KeyRows reads back from a block of events what makes each row another than the rest.
type KeyRows struct {
	events *Events
	Row    int

	Product, InsertID []byte
	KeyAt, ReceivedAt int64 // Unix milliseconds

	insertID cursor
}

// KeyRows starts before the first row. What it shows views the block.
func (b *Events) KeyRows() KeyRows { return KeyRows{events: b, Row: -1} }

// Next goes on to the next row, if there is one.
func (k *KeyRows) Next() bool {
	b := k.events
	if k.Row++; k.Row == b.Rows() {
		return false
	}
	k.Product = b.product.at(k.Row)
	k.InsertID = b.insertID.next(&k.insertID)
	k.KeyAt, k.ReceivedAt = b.eventKeyAt.get64(k.Row), b.receivedAt.get64(k.Row)
	return true
}

// HasExternalConversations tells whether any row does.
func (b *Events) HasExternalConversations() bool {
	nulls := b.externalConversationID.nulls
	for i := range nulls.count() {
		if bytes.IndexByte(nulls.segment(i), 0) >= 0 {
			return true
		}
	}
	return false
}

// Products are the products of the rows, each once. They are views.
func (b *Events) Products() []string { return b.product.texts }

// SetUser, SetOrganization and SetConversation say who the event of a row is about.
func (b *Events) SetUser(row int, id identity.ID) { putID(b.userID, row, id) }

// SetOrganization is SetUser for the organization.
func (b *Events) SetOrganization(row int, id identity.ID) { putID(b.organizationID, row, id) }

// SetConversation is SetUser for the conversation.
func (b *Events) SetConversation(row int, id identity.ID) { putID(b.conversationID, row, id) }

// User is the user of a row, if there is one.
func (b *Events) User(row int) (id identity.ID, ok bool) {
	if b.userID.isNull(row) {
		return id, false
	}
	data := b.userID.values.at(row)
	binary.BigEndian.PutUint64(id[:8], binary.LittleEndian.Uint64(data))
	binary.BigEndian.PutUint64(id[8:], binary.LittleEndian.Uint64(data[8:]))
	return id, true
}

// textAt is the text of the row that the cursor is before; nil is null.
func textAt(c *nullable[*text], row int, at *cursor) []byte {
	value := c.values.next(at)
	if c.isNull(row) {
		return nil
	}
	return value
}

// at is the text of a row. It is a view of a string: it must not be changed.
func (c *dictionary) at(row int) []byte {
	s := c.texts[c.keys.get32(row)]
	return unsafe.Slice(unsafe.StringData(s), len(s))
}
