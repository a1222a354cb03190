package mapping

import "strings"

// The keywords in all their forms, one keyword a line, the keyword itself first: a short list that can be
// read beats rules of grammar that make "subscription" of "subscribe".
const (
	positiveWords = `
		signup signups signedup signsup signingup
		upgrade upgrades upgraded upgrading
		purchase purchases purchased purchasing
		subscribe subscribes subscribed subscribing
		convert converts converted converting conversion conversions
		activate activates activated activating activation activations
		complete completes completed completing completion completions
		ordercompleted ordercomplete ordercompletes orderscompleted ordercompleting ordercompletion ordercompletions`
	negativeWords = `
		churn churns churned churning
		cancel cancels canceled cancelled canceling cancelling cancelation cancelations cancellation cancellations
		unsubscribe unsubscribes unsubscribed unsubscribing
		refund refunds refunded refunding
		downgrade downgrades downgraded downgrading
		delete deletes deleted deleting deletion deletions
		failed fail fails failing failure failures
		error errors errored erroring`
)

// keywords says what a word means; others are not in it.
var keywords = map[string]Influence{}

// reaches tells how short and how long the keywords are that begin with a letter, so that most words
// need no look-up. The zero value lets nothing through.
var reaches [256]struct{ shortest, longest int }

func init() {
	for influence, list := range map[Influence]string{Positive: positiveWords, Negative: negativeWords} {
		for _, word := range strings.Fields(list) {
			keywords[word] = influence
			reach := &reaches[word[0]]
			if reach.longest == 0 || len(word) < reach.shortest {
				reach.shortest = len(word)
			}
			reach.longest = max(reach.longest, len(word))
		}
	}
}
