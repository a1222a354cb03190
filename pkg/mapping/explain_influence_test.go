package mapping

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestInfluenceRule_NamesTheWords(t *testing.T) {
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
		"Upgraded, Purchased!": `the word "Upgraded" of the name, a form of "upgrade"`,
		"(Sign) up!":           `the words "Sign)up" of the name`,
		"✅\ufe0fsign-up":       `the words "sign-up" of the name`,
		"Deactivated":          "no word of the name is a keyword",
		"":                     "no word of the name is a keyword",
	} {
		var w words
		w.influence([]byte(name))
		require.Equal(t, want, w.rule([]byte(name)), name)
	}
}

// TestInfluenceRule_QuotedWordsDecide: what is quoted has the name's influence by itself too, and what has none has no phrase.
func TestInfluenceRule_QuotedWordsDecide(t *testing.T) {
	vocabulary := strings.Fields("sign Up signed order completed Upgrade failed FAILS un subscribed page viewed refunded cancel error éa 注文 cart")
	between := []string{" ", "_", "-", ".", "/", ":", "", "  ", "\u00a0", " - ", "2", "!", " (", "…", "\u0301"}
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
	influence := w.influence([]byte(name))
	for _, kind := range []Influence{Negative, Positive} {
		m := &w.found[kind]
		if !m.ok() {
			continue
		}
		text := excerpt([]byte(name), m)
		require.Equal(t, kind, influenceOf(text), "%q of %q", text, name)
		require.Equal(t, kind, keywords[keywordOf(string(w.text[m.start:m.end]))])
		if kind == Negative || !w.found[Negative].ok() {
			require.Equal(t, kind, influence, name)
		}
	}
	if !w.found[Negative].ok() && !w.found[Positive].ok() {
		require.Equal(t, Neutral, influence, name)
	}
}

// TestInfluenceRule_ManySeparators_IsShort: what is shown of a name has an end, although there may be any number of separators in it.
func TestInfluenceRule_ManySeparators_IsShort(t *testing.T) {
	var w words
	name := []byte("sign" + strings.Repeat(" ", 100_000) + "up")
	w.influence(name)
	require.Equal(t, `the words "sign up" of the name`, w.rule(name))
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

// InfluenceRule is the rule that Explain gives for the influence.
func TestInfluenceRule_IsThatOfExplain(t *testing.T) {
	m := NewExplainer()
	for _, raw := range ordinary {
		var e Event
		message := Message{Raw: []byte(raw), ReceivedAt: receivedAt}
		require.NoError(t, m.mapSegment(&message, &e))
		list, _, err := ofSegment.explain(&message)
		require.NoError(t, err)
		require.Equal(t, byField(list)["influence"].Rule, m.InfluenceRule())
		*m.trace = trace{}
	}
	var r Result
	for raw, want := range map[string]string{
		apiEvent: "influence", `{"eventType":"Sign Up","value":-1,"currency":"EUR"}`: "value is below zero",
	} {
		require.NoError(t, m.MapRecord([]byte(KindEvent), []byte(ProviderAPI), &Message{Raw: []byte(raw)}, &r))
		require.Equal(t, want, m.InfluenceRule())
	}
}
