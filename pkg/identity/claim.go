package identity

import (
	"bytes"
	"math"
)

// Never and Always are the times of a first and of a last observation that was not made yet: later and earlier than
// any.
const (
	Never  = math.MaxInt64
	Always = math.MinInt64
)

// Timestamped is a text and the time of the message that said it, in Unix milliseconds by the message's own timestamp.
type Timestamped struct {
	At   int64
	Text []byte
}

// Claim is what one message says of a user, or the sum of several messages with the same external id and address. One
// of the two may be missing (nil). The address is folded.
type Claim struct {
	Workspace, ExternalID, Email []byte
	UserID                       ID // of the external id, or of the address if there is no external id

	Explicit  Timestamped // the first identify or conversation; the text says which
	Event     Timestamped // the first event, and its source
	FirstName Timestamped // the first name in an event

	LastName, Organization, Properties Timestamped // the last of each in an identify
	EmailAt                            int64       // the last identify with this address
}

// EmptyClaim is a claim without observations. Copies of it are filled in.
var EmptyClaim = Claim{
	Explicit: Timestamped{At: Never}, Event: Timestamped{At: Never}, FirstName: Timestamped{At: Never},
	LastName: Timestamped{At: Always}, Organization: Timestamped{At: Always}, Properties: Timestamped{At: Always},
	EmailAt: Always,
}

// Strength is how strong a user's hold on an address is. The lowest value wins, and the earliest of equal ones.
type Strength uint8

// The strengths. ClickHouse's views use the same numbers.
const (
	ByExplicit Strength = iota // an identify or a conversation named the external id with the address
	ByEvent                    // an event did
	ByAddress                  // no external id came with the address
	Unclaimed
)

// Hold is a user's claim to an address.
type Hold struct {
	Strength Strength
	At       int64
	UserID   ID
}

func (h *Hold) precedes(o *Hold) bool {
	if h.Strength != o.Strength {
		return h.Strength < o.Strength
	}
	if h.At != o.At {
		return h.At < o.At
	}
	return bytes.Compare(h.UserID[:], o.UserID[:]) < 0
}

// holdOf returns the hold of a pair from the times of its first explicit observation and of its first event.
func holdOf(externalID bool, explicitAt, eventAt int64, id ID) Hold {
	switch {
	case !externalID:
		return Hold{ByAddress, 0, id}
	case explicitAt != Never:
		return Hold{ByExplicit, explicitAt, id}
	}
	return Hold{ByEvent, eventAt, id}
}

// OrganizationClaim is what one message says of an organization. The fields are as in Claim.
type OrganizationClaim struct {
	Workspace, ExternalID []byte
	OrganizationID        ID

	Explicit, Event, FirstName, LastName Timestamped
}

// EmptyOrganizationClaim is an organization claim without observations. Copies of it are filled in.
var EmptyOrganizationClaim = OrganizationClaim{
	Explicit: Timestamped{At: Never}, Event: Timestamped{At: Never},
	FirstName: Timestamped{At: Never}, LastName: Timestamped{At: Always},
}
