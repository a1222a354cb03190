package attribution

import (
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/warehouse"
)

// newsOf are news by workspace: what one of them has to work in keeps no other waiting.
type newsOf map[string]*news

func (n newsOf) of(workspace string) *news {
	if n[workspace] == nil {
		n[workspace] = &news{}
	}
	return n[workspace]
}

func (n newsOf) move(c *identity.Claim, from identity.ID) {
	n.of(string(c.Workspace)).move(c, from)
}

func (n newsOf) meet(workspace, product, conversation string) {
	of := n.of(workspace)
	of.conversations = append(of.conversations, warehouse.ConversationName{Product: product, Name: conversation})
}

func (n newsOf) act(workspace string, u warehouse.ProductUser, at int64) {
	of := n.of(workspace)
	of.active = stretched(of.active, u, spanFrom(at))
}

// hear notes an activity that was written by another loader, or may have been worked in by half: whose it is, and if it was
// revised, that it has been somebody else's.
func (n newsOf) hear(a *warehouse.StoredActivity) {
	if warehouse.Revised(a.Version) {
		of := n.of(a.Workspace)
		c := warehouse.ProductConversation{Product: a.Product, ID: identity.ConversationID([]byte(a.Product), []byte(a.Conversation))}
		of.followed = stretched(of.followed, c, spanFrom(a.At))
	}
	if a.UserID != (identity.ID{}) {
		n.act(a.Workspace, warehouse.ProductUser{Product: a.Product, User: a.UserID}, a.At)
	}
}

// takePeople takes out what is known of people.
func (n newsOf) takePeople() newsOf {
	people := newsOf{}
	for workspace, of := range n {
		if len(of.moved)+len(of.from) > 0 {
			people[workspace] = &news{moved: of.moved, from: of.from}
			of.moved, of.from = nil, nil
		}
	}
	return people
}

// together are the news of all workspaces.
func (n newsOf) together() *news {
	all := &news{}
	for _, of := range n {
		all.add(of)
	}
	return all
}

// news is what may make stored rows be about somebody else.
type news struct {
	moved         []moved
	from          []identity.ID                          // who held an address before
	conversations []warehouse.ConversationName           // that have become known
	active        map[warehouse.ProductUser]span         // of users who have been active
	followed      map[warehouse.ProductConversation]span // of conversations whose activities may be another user's than they were
}

// moved is a pair of an external id and an address, either may be "", that is somebody else by now.
type moved struct{ workspace, externalID, email string }

// span is a time in which events may follow from an activity, in Unix milliseconds.
type span = warehouse.Span

func spanFrom(at int64) span { return span{at, at + identity.LookBack.Milliseconds()} }

func (n *news) len() int {
	return len(n.moved) + len(n.from) + len(n.conversations) + len(n.active) + len(n.followed)
}

func (n *news) empty() bool { return n.len() == 0 }

func (n *news) move(c *identity.Claim, from identity.ID) {
	n.moved = append(n.moved, moved{string(c.Workspace), string(c.ExternalID), string(c.Email)})
	if from != (identity.ID{}) {
		n.from = append(n.from, from)
	}
}

// stretched is the spans with another.
func stretched[K comparable](spans map[K]span, of K, s span) map[K]span {
	if spans == nil {
		spans = map[K]span{}
	}
	if known, ok := spans[of]; ok {
		s = span{min(s[0], known[0]), max(s[1], known[1])}
	}
	spans[of] = s
	return spans
}

func (n *news) add(o *news) {
	n.moved = append(n.moved, o.moved...)
	n.from = append(n.from, o.from...)
	n.conversations = append(n.conversations, o.conversations...)
	for u, s := range o.active {
		n.active = stretched(n.active, u, s)
	}
	for c, s := range o.followed {
		n.followed = stretched(n.followed, c, s)
	}
}
