package loader

import (
	"bytes"

	"github.com/millrace/millrace/pkg/attribution"
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Values of created_from in ClickHouse, of users and organizations.
var (
	createdByIdentify     = []byte("identify")
	createdByConversation = []byte("conversation")
)

// observeIdentify copies what an identify says of a user and of its organization.
func observeIdentify(e *stream.Record, i *mapping.Identify) attribution.Observation {
	o := newObservation(e, i.ExternalUserID, i.Email)
	c := &o.Claim
	c.Explicit = identity.Timestamped{At: i.At, Text: createdByIdentify}
	if string(i.Properties) != "{}" { // properties that are left out do not change
		c.Properties = identity.Timestamped{At: i.At, Text: bytes.Clone(i.Properties)}
	}
	if i.Name != nil {
		c.LastName = identity.Timestamped{At: i.At, Text: bytes.Clone(i.Name)}
	}
	if c.Email != nil {
		c.EmailAt = i.At
	}
	if i.ExternalOrganizationID == nil {
		return o
	}
	c.Organization = identity.Timestamped{At: i.At, Text: bytes.Clone(i.ExternalOrganizationID)}
	o.Organization = identity.EmptyOrganizationClaim
	o.Organization.Workspace, o.Organization.ExternalID = c.Workspace, c.Organization.Text
	o.Organization.Explicit = c.Explicit
	if i.OrganizationName != nil {
		o.Organization.LastName = identity.Timestamped{At: i.At, Text: bytes.Clone(i.OrganizationName)}
	}
	return o
}

// observeActivity copies one activity of a conversation, and what it says of its user.
func observeActivity(e *stream.Record, a *mapping.Activity) attribution.Observation {
	o := newObservation(e, a.ExternalUserID, a.Email)
	o.Claim.Explicit = identity.Timestamped{At: a.At, Text: createdByConversation}
	o.Activity = warehouse.Activity{
		Workspace:              o.Claim.Workspace,
		Product:                bytes.Clone(e.Product),
		ExternalConversationID: bytes.Clone(a.ExternalConversationID),
		ExternalUserID:         o.Claim.ExternalID,
		Email:                  o.Claim.Email,
		At:                     a.At,
		Properties:             bytes.Clone(a.Properties),
		ReceivedAt:             e.ReceivedAt,
		Version:                warehouse.Version(e.ReceivedAt),
	}
	o.Activity.ConversationID = identity.ConversationID(e.Product, a.ExternalConversationID)
	return o
}

func newObservation(e *stream.Record, externalID, email []byte) attribution.Observation {
	o := attribution.Observation{Claim: identity.EmptyClaim}
	o.Claim.Workspace, o.Claim.ExternalID = bytes.Clone(e.Workspace), bytes.Clone(externalID)
	o.Claim.Email, _ = identity.Fold(nil, bytes.Clone(email))
	return o
}
