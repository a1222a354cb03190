package loader

import (
	"bytes"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// By what a user or an organization was made. They are created_from in ClickHouse.
var (
	createdByIdentify     = []byte("identify")
	createdByConversation = []byte("conversation")
)

func observeIdentify(e *stream.Record, i *mapping.Identify) attribution.Observation {
	s := newObservation(e, i.ExternalUserID, i.Email)
	c := &s.Claim
	c.Explicit = identity.Timestamped{At: i.At, Text: createdByIdentify}
	if string(i.Properties) != "{}" { // what a call leaves out it says nothing about
		c.Properties = identity.Timestamped{At: i.At, Text: bytes.Clone(i.Properties)}
	}
	if i.Name != nil {
		c.LastName = identity.Timestamped{At: i.At, Text: bytes.Clone(i.Name)}
	}
	if c.Email != nil {
		c.EmailAt = i.At
	}
	if i.ExternalOrganizationID == nil {
		return s
	}
	c.Organization = identity.Timestamped{At: i.At, Text: bytes.Clone(i.ExternalOrganizationID)}
	s.Organization = identity.EmptyOrganizationClaim
	s.Organization.Workspace, s.Organization.ExternalID = c.Workspace, c.Organization.Text
	s.Organization.Explicit = c.Explicit
	if i.OrganizationName != nil {
		s.Organization.LastName = identity.Timestamped{At: i.At, Text: bytes.Clone(i.OrganizationName)}
	}
	return s
}

func observeActivity(e *stream.Record, a *mapping.Activity) attribution.Observation {
	s := newObservation(e, a.ExternalUserID, a.Email)
	s.Claim.Explicit = identity.Timestamped{At: a.At, Text: createdByConversation}
	s.Activity = warehouse.Activity{
		Workspace: s.Claim.Workspace, Product: bytes.Clone(e.Product), ExternalConversationID: bytes.Clone(a.ExternalConversationID),
		ExternalUserID: s.Claim.ExternalID, Email: s.Claim.Email, At: a.At, Properties: bytes.Clone(a.Properties),
		ReceivedAt: e.ReceivedAt, Version: warehouse.Version(e.ReceivedAt),
	}
	s.Activity.ConversationID = identity.ConversationID(e.Product, a.ExternalConversationID)
	return s
}

func newObservation(e *stream.Record, externalID, email []byte) attribution.Observation {
	s := attribution.Observation{Claim: identity.EmptyClaim}
	s.Claim.Workspace, s.Claim.ExternalID = bytes.Clone(e.Workspace), bytes.Clone(externalID)
	s.Claim.Email, _ = identity.Fold(nil, bytes.Clone(email))
	return s
}
