package identity

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// pairName is an external id and a folded address in a workspace; either may be "".
type pairName struct{ workspace, externalID, email string }

// store adds claims up as the tables in ClickHouse do.
type store struct {
	sums map[pairName]Claim
	log  []written // ordered by at
	now  int
}

// written is a row of user_claims.
type written struct {
	claim  Claim
	writer int
	at     int    // written_at
	key    string // sorting key
}

func newStore() *store { return &store{sums: map[pairName]Claim{}} }

func nameOf(c *Claim) pairName {
	return pairName{string(c.Workspace), string(c.ExternalID), string(c.Email)}
}

func add(sum *Claim, c *Claim) {
	sum.UserID = c.UserID
	sum.Explicit.At, sum.Event.At = min(sum.Explicit.At, c.Explicit.At), min(sum.Event.At, c.Event.At)
	if c.FirstName.At < sum.FirstName.At {
		sum.FirstName = c.FirstName
	}
}

func (s *store) write(claims []Claim, writer int) {
	for i := range claims {
		name := nameOf(&claims[i])
		sum, ok := s.sums[name]
		if !ok {
			sum = EmptyClaim
			sum.Workspace, sum.ExternalID, sum.Email = claims[i].Workspace, claims[i].ExternalID, claims[i].Email
		}
		add(&sum, &claims[i])
		s.sums[name] = sum
		s.now++
		s.log = append(s.log, written{claims[i], writer, s.now, fmt.Sprint(name)})
	}
}

// rewrite writes a row again, as a repeated insert does.
func (s *store) rewrite(i int) {
	w := s.log[i]
	s.now++
	w.at = s.now
	s.log = append(s.log, w)
}

// merge merges the rows of each claim and writer. The row that stays has the greatest time.
func (s *store) merge() {
	type key struct {
		pairName
		writer int
	}
	merged, seen := []written{}, map[key]int{}
	for _, w := range slices.Backward(s.log) {
		k := key{nameOf(&w.claim), w.writer}
		if last, ok := seen[k]; ok {
			add(&merged[last].claim, &w.claim)
			continue
		}
		seen[k] = len(merged)
		merged = append(merged, w)
	}
	slices.Reverse(merged)
	s.log = merged
}

// sweep returns a page of the rows after a time and behind a position, in the order of their names.
func (s *store) sweep(after int, behind string, rows int) (page []written, last string) {
	found := slices.DeleteFunc(slices.Clone(s.log), func(w written) bool {
		return w.at <= after || w.key <= behind
	})
	slices.SortStableFunc(found, func(a, b written) int { return cmp.Compare(a.key, b.key) })
	for i, w := range found {
		if i >= rows && w.key != last {
			break
		}
		page, last = append(page, w), w.key
	}
	return page, last
}

// all returns the sums that a preload reads.
func (s *store) all(wanted func(*Claim) bool) (claims []Claim) {
	for name := range s.sums {
		if c := s.sums[name]; wanted(&c) {
			claims = append(claims, c)
		}
	}
	slices.SortFunc(claims, func(a, b Claim) int { return cmp.Compare(fmt.Sprint(nameOf(&a)), fmt.Sprint(nameOf(&b))) })
	return claims
}

// identities looks up as ClickHouse does: at most MaxPairs claims of each external id, and the states of all addresses
// that are missing or in a claim.
func (s *store) identities(externalIDs, addresses []Name) (claims []Claim, states []AddressState) {
	wanted := map[pairName]bool{}
	for _, n := range addresses {
		wanted[pairName{string(n.Workspace), "", string(n.Name)}] = true
	}
	for _, n := range externalIDs {
		var own []Claim
		for name, sum := range s.sums {
			if name.workspace == string(n.Workspace) && name.externalID == string(n.Name) {
				own = append(own, sum)
			}
		}
		slices.SortFunc(own, func(a, b Claim) int {
			return cmp.Or(cmp.Compare(a.Explicit.At, b.Explicit.At), cmp.Compare(a.Event.At, b.Event.At),
				bytes.Compare(a.Email, b.Email))
		})
		own = own[:min(len(own), MaxPairs)]
		claims = append(claims, own...)
		for i := range own {
			if own[i].Email != nil {
				wanted[pairName{string(n.Workspace), "", string(own[i].Email)}] = true
			}
		}
	}
	for name := range wanted {
		h := AddressState{
			Workspace: []byte(name.workspace), Email: []byte(name.email), Hold: Hold{Strength: Unclaimed},
			ExplicitAt: Never, EventAt: Never, NameAt: Never,
		}
		for of, sum := range s.sums {
			if of.workspace != name.workspace || of.email != name.email {
				continue
			}
			if hold := holdOf(of.externalID != "", sum.Explicit.At, sum.Event.At, sum.UserID); hold.precedes(&h.Hold) {
				h.Hold = hold
			}
			if of.externalID == "" {
				h.ExplicitAt, h.EventAt, h.NameAt = sum.Explicit.At, sum.Event.At, sum.FirstName.At
			}
		}
		if h.Hold.Strength != Unclaimed {
			states = append(states, h)
		}
	}
	return claims, states
}

// usersOf returns the users of all claims with an address.
func (s *store) usersOf(workspace, email string) (ids []ID) {
	for name, sum := range s.sums {
		if name.workspace == workspace && name.email == email {
			ids = append(ids, sum.UserID)
		}
	}
	return ids
}

// model is the rule, computed from all messages.
type model struct {
	explicit  map[pairName]bool // email is ""
	addresses map[pairName]map[string]bool
	holders   map[pairName]*holder // externalID is ""
}

type holder struct {
	strength int
	at       int64
	external string
}

func modelOf(all []message) *model {
	m := &model{map[pairName]bool{}, map[pairName]map[string]bool{}, map[pairName]*holder{}}
	explicitly := map[pairName]bool{}
	for _, s := range all {
		if s.explicit && s.external != "" {
			m.explicit[pairName{s.workspace, s.external, ""}] = true
			explicitly[pairName{s.workspace, s.external, s.folded()}] = true
		}
	}
	for _, s := range all {
		if s.email == "" {
			continue
		}
		user, address := pairName{s.workspace, s.external, ""}, pairName{s.workspace, "", s.folded()}
		h := &holder{2, 0, ""}
		if s.external != "" {
			if m.addresses[user] == nil {
				m.addresses[user] = map[string]bool{}
			}
			m.addresses[user][s.folded()] = true
			h = &holder{1, s.at, s.external}
			if s.explicit {
				h.strength = 0
			} else if explicitly[pairName{s.workspace, s.external, s.folded()}] {
				continue // the explicit message counts
			}
		}
		if known := m.holders[address]; known == nil || h.before(s.workspace, known) {
			m.holders[address] = h
		}
	}
	return m
}

func (h *holder) before(workspace string, o *holder) bool {
	if h.strength == 2 || o.strength == 2 {
		return h.strength < o.strength
	}
	a, b := UserID([]byte(workspace), []byte(h.external)), UserID([]byte(workspace), []byte(o.external))
	return cmp.Or(cmp.Compare(h.strength, o.strength), cmp.Compare(h.at, o.at), bytes.Compare(a[:], b[:])) < 0
}

func (m *model) known(workspace, external string) bool {
	user := pairName{workspace, external, ""}
	if m.explicit[user] || len(m.addresses[user]) >= MaxPairs {
		return true
	}
	for email := range m.addresses[user] {
		if m.holders[pairName{workspace, "", email}].external == external {
			return true
		}
	}
	return false
}

func (m *model) resolve(s *message) ID {
	if s.external != "" && m.known(s.workspace, s.external) {
		return UserID([]byte(s.workspace), []byte(s.external))
	}
	h := m.holders[pairName{s.workspace, "", s.folded()}]
	switch {
	case h == nil:
		return ID{}
	case h.external != "":
		return UserID([]byte(s.workspace), []byte(h.external))
	}
	return AddressID([]byte(s.workspace), []byte(s.folded()))
}
