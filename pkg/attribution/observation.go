package attribution

import (
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Observation is an identify or an activity: its claim on a user, and the rest of the message. It owns its memory.
type Observation struct {
	Claim        identity.Claim
	Organization identity.OrganizationClaim // ExternalID is nil if there is none
	Activity     warehouse.Activity         // ExternalConversationID is nil for an identify
}

// identifiesUser returns false for an activity that has neither an external id nor an address.
func (o *Observation) identifiesUser() bool { return o.Claim.ExternalID != nil || o.Claim.Email != nil }

func (o *Observation) isActivity() bool { return o.Activity.ExternalConversationID != nil }
