package identity

import (
	"cmp"
	"slices"
	"time"
)

// LookBack is how far before an event a conversation may have been active to be the one it followed from.
const LookBack = 15 * time.Minute

// Activity is one of a user's activities in a product: when, in Unix milliseconds, and of which conversation.
type Activity struct {
	At           int64
	Conversation ID
}

// Activities are sorted by Sort.
type Activities []Activity

// Sort puts them in order of time; of those at one time, the conversation that LatestBefore is to find last.
func (a Activities) Sort() {
	slices.SortFunc(a, func(x, y Activity) int {
		return cmp.Or(cmp.Compare(x.At, y.At), slices.Compare(x.Conversation[:], y.Conversation[:]))
	})
}

// LatestBefore is the conversation that was active last in the LookBack up to at, both ends included.
func (a Activities) LatestBefore(at int64) (conversation ID, ok bool) {
	behind, _ := slices.BinarySearchFunc(a, at+1, func(x Activity, t int64) int { return cmp.Compare(x.At, t) })
	if behind == 0 || a[behind-1].At < at-LookBack.Milliseconds() {
		return ID{}, false
	}
	return a[behind-1].Conversation, true
}
