package loader

import (
	"bytes"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// observation is an identify or an activity: what it claims of a user, and the rest of it. There are few beside the
// events, so each is an object of its own.
type observation struct {
	claim        identity.Claim
	organization identity.OrganizationClaim // ExternalID is nil without one
	activity     warehouse.Activity         // ExternalConversationID is nil for an identify
}

// By what a user or an organization was made. They are created_from in ClickHouse.
var (
	createdByIdentify     = []byte("identify")
	createdByConversation = []byte("conversation")
)

func observeIdentify(e *stream.Entry, i *mapping.Identify) observation {
	s := newObservation(e, i.ExternalUserID, i.Email)
	c := &s.claim
	c.Explicit = identity.Said{At: i.At, Text: createdByIdentify}
	if string(i.Properties) != "{}" { // what a call leaves out it says nothing about
		c.Properties = identity.Said{At: i.At, Text: bytes.Clone(i.Properties)}
	}
	if i.Name != nil {
		c.LastName = identity.Said{At: i.At, Text: bytes.Clone(i.Name)}
	}
	if c.Email != nil {
		c.EmailSaid = i.At
	}
	if i.ExternalOrganizationID == nil {
		return s
	}
	c.Organization = identity.Said{At: i.At, Text: bytes.Clone(i.ExternalOrganizationID)}
	s.organization = identity.NothingOfOrganization
	s.organization.Workspace, s.organization.ExternalID = c.Workspace, c.Organization.Text
	s.organization.Explicit = c.Explicit
	if i.OrganizationName != nil {
		s.organization.LastName = identity.Said{At: i.At, Text: bytes.Clone(i.OrganizationName)}
	}
	return s
}

func observeActivity(e *stream.Entry, a *mapping.Activity) observation {
	s := newObservation(e, a.ExternalUserID, a.Email)
	s.claim.Explicit = identity.Said{At: a.At, Text: createdByConversation}
	s.activity = warehouse.Activity{
		Workspace: s.claim.Workspace, Product: bytes.Clone(e.Product), ExternalConversationID: bytes.Clone(a.ExternalConversationID),
		ExternalUserID: s.claim.ExternalID, Email: s.claim.Email, At: a.At, Properties: bytes.Clone(a.Properties),
		ReceivedAt: e.ReceivedAt, Version: warehouse.Version(e.ReceivedAt),
	}
	s.activity.ConversationID = identity.ConversationID(e.Product, a.ExternalConversationID)
	return s
}

func newObservation(e *stream.Entry, externalID, email []byte) observation {
	s := observation{claim: identity.Nothing}
	s.claim.Workspace, s.claim.ExternalID = bytes.Clone(e.Workspace), bytes.Clone(externalID)
	s.claim.Email, _ = identity.Fold(nil, bytes.Clone(email))
	return s
}

// namesUser tells whether the claim is about anybody: an activity need not be.
func (s *observation) namesUser() bool { return s.claim.ExternalID != nil || s.claim.Email != nil }

func (s *observation) isActivity() bool { return s.activity.ExternalConversationID != nil }
