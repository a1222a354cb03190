package attribution

import (
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Observation is what an identify or an activity says: a claim on a user, and the rest of the message. It owns its memory.
type Observation struct {
	Claim        identity.Claim
	Organization identity.OrganizationClaim // ExternalID is nil without one
	Activity     warehouse.Activity         // ExternalConversationID is nil for an identify
}

// identifiesUser is false for an activity without an external id and an address.
func (o *Observation) identifiesUser() bool { return o.Claim.ExternalID != nil || o.Claim.Email != nil }

func (o *Observation) isActivity() bool { return o.Activity.ExternalConversationID != nil }
