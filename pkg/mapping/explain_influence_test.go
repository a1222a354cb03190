package mapping

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRulesOfNames(t *testing.T) {
	for name, want := range map[string]string{
		"Plan Upgraded":        `the word "Upgraded" of the name, a form of "upgrade"`,
		"signup":               `the word "signup" of the name`,
		"User Sign Up":         `the words "Sign Up" of the name`,
		"SignedUp":             `the words "SignedUp" of the name, a form of "signup"`,
		"sign\u00a0\t up":      `the words "sign up" of the name`,
		"- sign-- up -":        `the words "sign-up" of the name`,
		"order_completed":      `the words "order_completed" of the name`,
		"Step Completed":       `the word "Completed" of the name, a form of "complete"`,
		"Payment Failed":       `the word "Failed" of the name`,
		"Fails":                `the word "Fails" of the name, a form of "failed"`,
		"Upgrade Failed":       `the word "Failed" of the name, and negative outweighs positive ("Upgrade")`,
		"Cancel Subscribe":     `the word "Cancel" of the name, and negative outweighs positive ("Subscribe")`,
		"un-subscribed":        `the words "un-subscribed" of the name, a form of "unsubscribe", and negative outweighs positive ("subscribed")`,
		"Upgraded, Purchased!": "no word of the name is a keyword",
		"Deactivated":          "no word of the name is a keyword",
		"":                     "no word of the name is a keyword",
	} {
		var w words
		require.Equal(t, want, w.rule([]byte(name)), name)
	}
}

// TestThePhraseDecides: what is quoted has the name's influence by itself too, and what has none has no phrase.
func TestThePhraseDecides(t *testing.T) {
	vocabulary := strings.Fields("sign Up signed order completed Upgrade failed FAILS un subscribed page viewed refunded cancel error éa 注文 cart")
	between := []string{" ", "_", "-", ".", "/", ":", "", "  ", "\u00a0", " - ", "2"}
	rapid.Check(t, func(t *rapid.T) {
		var name string
		for _, word := range rapid.SliceOfN(rapid.SampledFrom(vocabulary), 1, 6).Draw(t, "words") {
			name += word + rapid.SampledFrom(between).Draw(t, "between")
		}
		requirePhrase(t, name)
	})
	for _, list := range names {
		for _, name := range list {
			requirePhrase(t, name)
		}
	}
}

func requirePhrase(t require.TestingT, name string) {
	var w words
	influence := influenceOf(name)
	positive, negative := w.phrases([]byte(name))
	switch {
	case negative != nil:
		require.Equal(t, Negative, influence, name)
		require.Equal(t, Negative, influenceOf(negative.text), "%q of %q", negative.text, name)
		require.Equal(t, Negative, keywords[negative.keyword])
	case positive != nil:
		require.Equal(t, Positive, influence, name)
		require.Equal(t, Positive, influenceOf(positive.text), "%q of %q", positive.text, name)
		require.Equal(t, Positive, keywords[positive.keyword])
	default:
		require.Equal(t, Neutral, influence, name)
	}
}

// TestPhrasesAreShort: what is shown of a name has an end, although there may be any number of separators in it.
func TestPhrasesAreShort(t *testing.T) {
	var w words
	require.Equal(t, `the words "sign up" of the name`, w.rule([]byte("sign"+strings.Repeat(" ", 100_000)+"up")))
}

func TestEveryFormHasItsKeyword(t *testing.T) {
	var found []string
	for form, influence := range keywords {
		keyword := keywordOf(form)
		require.Equal(t, influence, keywords[keyword], form)
		if keyword == form {
			found = append(found, keyword)
		}
	}
	require.ElementsMatch(t, strings.Fields(`signup upgrade purchase subscribe convert activate complete ordercompleted
		churn cancel unsubscribe refund downgrade delete failed error`), found)
}

// TestInfluenceRuleIsThatOfExplain, right after mapping, and leaves the event as it is.
func TestInfluenceRuleIsThatOfExplain(t *testing.T) {
	var m, other Mapper
	for _, raw := range ordinary {
		var e, explained Event
		message := Message{Raw: []byte(raw), ReceivedAt: receivedAt}
		require.NoError(t, m.mapSegment(&message, &e))
		rule := m.InfluenceRule(&e)
		list, err := other.Explain(&message, &explained)
		require.NoError(t, err)
		require.Equal(t, byField(list)["influence"].Rule, rule)
		require.Equal(t, explained, e)
	}
	var e Event
	require.NoError(t, m.mapAPI(&Message{Raw: []byte(nativeEvent)}, &e))
	require.Equal(t, "influence", m.InfluenceRule(&e))
	require.NoError(t, m.mapAPI(&Message{Raw: []byte(`{"eventType":"Sign Up","value":-1,"currency":"EUR"}`)}, &e))
	require.Equal(t, "value is below zero", m.InfluenceRule(&e))
}
