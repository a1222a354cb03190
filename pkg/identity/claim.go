package identity

import (
	"bytes"
	"math"
	"unicode"
)

func lower(r rune) rune { return unicode.ToLower(r) }

// Never and Always are the times of what has not been said: later than any first, earlier than any last.
const (
	Never  = math.MaxInt64
	Always = math.MinInt64
)

// Timestamped is a text and when it was said, in Unix milliseconds by the message's own word.
type Timestamped struct {
	At   int64
	Text []byte
}

// Claim is what one message says of a user, or the sum of several: of each pair of an external id and an
// address. Either may be missing (nil), not both. The address is folded.
type Claim struct {
	Workspace, ExternalID, Email []byte
	UserID                       ID // of the external id, else of the address

	Explicit  Timestamped // the first identify or conversation, and which it was
	Event     Timestamped // the first event, and its source
	FirstName Timestamped // by an event

	LastName, Organization, Properties Timestamped // by an identify
	EmailAt                            int64       // by an identify
}

// EmptyClaim is the claim that says nothing: copies of it are filled in.
var EmptyClaim = Claim{
	Explicit: Timestamped{At: Never}, Event: Timestamped{At: Never}, FirstName: Timestamped{At: Never},
	LastName: Timestamped{At: Always}, Organization: Timestamped{At: Always}, Properties: Timestamped{At: Always}, EmailAt: Always,
}

// Strength is how strongly a claim holds an address: by an external id that an identify or a conversation
// named with it, by one that an event did, or by none. The lowest holds it; of two alike, the earliest.
type Strength uint8

// The strengths. The views in ClickHouse reckon with the same.
const (
	ByExplicit Strength = iota
	ByEvent
	ByAddress
	Unclaimed
)

// Hold is a claim on an address.
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

// holdOf is the hold that a pair gives, from the times of its first explicit and first other mention.
func holdOf(externalID bool, explicitAt, eventAt int64, id ID) Hold {
	switch {
	case !externalID:
		return Hold{ByAddress, 0, id}
	case explicitAt != Never:
		return Hold{ByExplicit, explicitAt, id}
	}
	return Hold{ByEvent, eventAt, id}
}

// OrganizationClaim is what one message says of an organization.
type OrganizationClaim struct {
	Workspace, ExternalID []byte
	OrganizationID        ID

	Explicit, Event, FirstName, LastName Timestamped // as in Claim
}

// EmptyOrganizationClaim is Nothing for an organization.
var EmptyOrganizationClaim = OrganizationClaim{
	Explicit: Timestamped{At: Never}, Event: Timestamped{At: Never}, FirstName: Timestamped{At: Never}, LastName: Timestamped{At: Always},
}
