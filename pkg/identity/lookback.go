package identity

import (
	"cmp"
	"slices"
	"time"
)

// LookBack is how long before an event a conversation may have been active for the event to belong to it.
const LookBack = 15 * time.Minute

// Activity is an activity of a user in a product: its time in Unix milliseconds, and its conversation.
type Activity struct {
	At           int64
	Conversation ID
}

// Activities are the activities of one user in one product.
type Activities []Activity

// Sort sorts by time, then by conversation id. LatestBefore needs the order.
func (a Activities) Sort() {
	slices.SortFunc(a, func(x, y Activity) int {
		return cmp.Or(cmp.Compare(x.At, y.At), slices.Compare(x.Conversation[:], y.Conversation[:]))
	})
}

// LatestBefore returns the conversation with the latest activity in the LookBack up to at, both ends included. Of
// several at the same time it returns the greatest id.
func (a Activities) LatestBefore(at int64) (conversation ID, ok bool) {
	behind, _ := slices.BinarySearchFunc(a, at+1, func(x Activity, t int64) int { return cmp.Compare(x.At, t) })
	if behind == 0 || a[behind-1].At < at-LookBack.Milliseconds() {
		return ID{}, false
	}
	return a[behind-1].Conversation, true
}
