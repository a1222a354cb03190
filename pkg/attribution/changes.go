package attribution

import (
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// changeSet is the identity changes by workspace. Each workspace has a queue of its own, so that none delays another.
type changeSet map[string]*changes

func (s changeSet) of(workspace string) *changes {
	if s[workspace] == nil {
		s[workspace] = &changes{}
	}
	return s[workspace]
}

func (s changeSet) addReassignment(c *identity.Claim, previous identity.ID) {
	n := s.of(string(c.Workspace))
	n.reassigned = append(n.reassigned, entity{string(c.Workspace), string(c.ExternalID), string(c.Email)})
	if previous != (identity.ID{}) {
		n.previousUsers = append(n.previousUsers, previous)
	}
}

func (s changeSet) addConversation(workspace, product, conversation string) {
	n := s.of(workspace)
	n.conversations = append(n.conversations, warehouse.ConversationName{Product: product, Name: conversation})
}

func (s changeSet) addActivity(workspace string, u warehouse.ProductUser, at int64) {
	n := s.of(workspace)
	n.activeUsers = extend(n.activeUsers, u, spanAfter(at))
}

// addStoredActivity adds an activity that another loader wrote, or whose changes may have been applied in part. If the
// row was revised before, its conversation may have followed another user's activity.
func (s changeSet) addStoredActivity(a *warehouse.StoredActivity) {
	if warehouse.Revised(a.Version) {
		n := s.of(a.Workspace)
		id := identity.ConversationID([]byte(a.Product), []byte(a.Conversation))
		c := warehouse.ProductConversation{Product: a.Product, ID: id}
		n.revisedConversations = extend(n.revisedConversations, c, spanAfter(a.At))
	}
	if a.UserID != (identity.ID{}) {
		s.addActivity(a.Workspace, warehouse.ProductUser{Product: a.Product, User: a.UserID}, a.At)
	}
}

// takeReassignments moves the changes of users into a set of their own.
func (s changeSet) takeReassignments() changeSet {
	taken := changeSet{}
	for workspace, n := range s {
		if len(n.reassigned)+len(n.previousUsers) > 0 {
			taken[workspace] = &changes{reassigned: n.reassigned, previousUsers: n.previousUsers}
			n.reassigned, n.previousUsers = nil, nil
		}
	}
	return taken
}

// merged returns the changes of all workspaces together.
func (s changeSet) merged() *changes {
	all := &changes{}
	for _, n := range s {
		all.add(n)
	}
	return all
}

// changes are what may give stored rows another user or another conversation.
type changes struct {
	reassigned           []entity                               // rows with either may resolve to another user now
	previousUsers        []identity.ID                          // users that had an address before
	conversations        []warehouse.ConversationName           // that are known now
	activeUsers          map[warehouse.ProductUser]span         // users with new activities
	revisedConversations map[warehouse.ProductConversation]span // conversations whose activities may have changed users
}

// entity is an external id and an address in a workspace. Either may be "".
type entity struct{ workspace, externalID, email string }

// span is a range of times of events that may follow an activity, in Unix milliseconds, both ends included.
type span = warehouse.Span

func spanAfter(at int64) span { return span{at, at + identity.LookBack.Milliseconds()} }

func (n *changes) len() int {
	return len(n.reassigned) + len(n.previousUsers) + len(n.conversations) +
		len(n.activeUsers) + len(n.revisedConversations)
}

func (n *changes) empty() bool { return n.len() == 0 }

func (n *changes) add(o *changes) {
	n.reassigned = append(n.reassigned, o.reassigned...)
	n.previousUsers = append(n.previousUsers, o.previousUsers...)
	n.conversations = append(n.conversations, o.conversations...)
	for u, s := range o.activeUsers {
		n.activeUsers = extend(n.activeUsers, u, s)
	}
	for c, s := range o.revisedConversations {
		n.revisedConversations = extend(n.revisedConversations, c, s)
	}
}

// extend makes the span of a key cover s as well. spans may be nil.
func extend[K comparable](spans map[K]span, key K, s span) map[K]span {
	if spans == nil {
		spans = map[K]span{}
	}
	if known, ok := spans[key]; ok {
		s = span{min(s[0], known[0]), max(s[1], known[1])}
	}
	spans[key] = s
	return spans
}
