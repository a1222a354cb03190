package mapping

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// requireDecisive holds each field to the members that are said to have decided it: alone they decide the same, without
// them another rule does, and with other values in them the field has another value. So it does for the whole event.
func (x *explainer) requireDecisive(t require.TestingT, message *Message) {
	mapped, mapErr := x.mapOnly(message)
	list, e, err := x.explain(message)
	require.Equal(t, mapErr, err)
	if err != nil {
		require.Nil(t, list)
		return
	}
	require.Equal(t, mapped, e)
	for _, f := range list {
		require.False(t, f.Value != "" && !f.Given || f.Later && f.Given, f)
		require.Equal(t, len(byField(list)), len(list))
		require.NotEmpty(t, f.Rule)
		if len(f.From) > 0 {
			x.requireEnough(t, message, f)
			x.requireNeeded(t, message, f)
			x.requireChanging(t, message, f)
		}
	}
}

func (x *explainer) field(message *Message, name string) (Explained, bool) {
	list, _, err := x.explain(message)
	return byField(list)[name], err == nil
}

func (x *explainer) requireEnough(t require.TestingT, message *Message, f Explained) {
	all, alone := whole(message), tree{}
	if kind := all.get("type"); kind != nil {
		alone.set("type", kind)
	}
	for _, path := range f.From {
		raw := all.get(path)
		require.NotNil(t, raw, "%s: there is no %s in %s", f.Field, path, message.Raw)
		alone.set(path, raw)
	}
	got, ok := x.field(alone.message(), f.Field)
	if !ok {
		alone.set(x.name, json.RawMessage(`"x"`))
		got, ok = x.field(alone.message(), f.Field)
	}
	require.True(t, ok, "%+v of %s", f, message.Raw)
	require.Equal(t, f.Value, got.Value, "%s of %s alone: %s", f.Field, f.From, message.Raw)
	require.Equal(t, f.Given, got.Given)
	require.Equal(t, f.From, got.From, "%s of %s", f.Field, message.Raw)
}

func (x *explainer) requireNeeded(t require.TestingT, message *Message, f Explained) {
	for _, path := range f.From {
		without := whole(message)
		without.remove(path)
		if got, ok := x.field(without.message(), f.Field); ok {
			require.False(t, got.Value == f.Value && slices.Equal(got.From, f.From) && got.Rule == f.Rule, "%+v without %s of %s", f, path, message.Raw)
		}
	}
}

func (x *explainer) requireChanging(t require.TestingT, message *Message, f Explained) {
	changed, other := whole(message), false
	for _, path := range f.From {
		if value := otherValue(f, path, changed.get(path)); value != "" && value != string(changed.get(path)) {
			changed.set(path, json.RawMessage(value))
			other = true
		}
	}
	if !other {
		return
	}
	if got, ok := x.field(changed.message(), f.Field); ok {
		require.NotEqual(t, f.Value, got.Value, "%s of %s; before: %s", f.Field, changed.message().Raw, message.Raw)
	}
}

// otherValue is a value for the member that gives the field another value; empty if there is none for sure.
func otherValue(f Explained, path string, raw json.RawMessage) string {
	unlike := func(a, b string) string {
		if strings.EqualFold(f.Value, strings.Trim(a, `"`)) {
			return b
		}
		return a
	}
	switch member := path[strings.LastIndexByte(path, '.')+1:]; {
	case f.Field == "event_at_source", f.Field == "value_type" && !strings.Contains(member, "alue"), f.Field == "value_text" && member == "gf_value_type":
		return ""
	case f.Field == "influence" && (member == "gf_influence" || member == "influence"):
		return unlike(`"neutral"`, `"positive"`)
	case f.Field == "influence" && (member == "revenue" || member == "value"):
		if f.Value == "positive" {
			return "-1"
		}
		return "1"
	case f.Field == "influence" && (member == "currency" || member == "valueType"):
		return ""
	case f.Field == "influence" && member != "type":
		if f.Value == "negative" {
			return `"Signed Up"`
		}
		return `"Payment Failed"`
	case f.Field == "influence":
		return ""
	case member == "type":
		return unlike(`"page"`, `"screen"`)
	case member == "gf_value_type" || member == "valueType":
		return unlike(`"text"`, `"numeric"`)
	case f.Field == "value_type" && len(f.From) == 1 && member == "gf_value":
		if f.Value == "text" {
			return "5"
		}
		return `"abc"`
	case f.Field == "value_type":
		return ""
	case f.Field == "value_text" && raw[0] == 't':
		return "false"
	case f.Field == "value_text" && raw[0] == 'f':
		return "true"
	case member == "email":
		return `"somebody@else.example"`
	case f.Field == "event_at":
		return `"2001-02-03T04:05:06Z"`
	case member == "currency":
		return `"ZZZ"`
	case member == "price", member == "quantity":
		return "7654.321"
	case member == "revenue", member == "gf_value", member == "value":
		return "98765.4321"
	case f.Field == "quality_impact_score":
		return unlike("0.125", "0.25")
	case member == "properties":
		return `{"zz":1}`
	}
	return `"zz other"`
}

// TestExplainedMembersDecideInGoldenMessages takes the messages that Map is held to.
func TestExplainedMembersDecideInGoldenMessages(t *testing.T) {
	file, err := os.ReadFile("testdata/messages.txt")
	require.NoError(t, err)
	explained := 0
	lines := strings.Split(string(file), "\n")
	for i, line := range lines {
		if line == "" || !strings.ContainsAny(line[:1], `{["`) {
			continue
		}
		message := Message{Raw: []byte(line), ReceivedAt: receivedAt}
		if batch, ok := strings.CutPrefix(lines[i+1], "~ "); ok {
			message.Context = []byte(batch)
		}
		ofSegment.requireDecisive(t, &message)
		explained++
	}
	require.GreaterOrEqual(t, explained, 200)
}

// drawn is what the members of drawn messages may be.
var drawn = map[string][]string{
	"type":  {`"track"`, `"page"`, `"screen"`},
	"event": {`"Plan Upgraded"`, `" Signed Up "`, `"Upgrade Failed"`, `"Thing Done"`}, "name": {`"Home"`, `" Sign Up Failed"`},
	"userId": {`"u"`, "5"}, "anonymousId": {`"a"`, "7"}, "messageId": {`"m"`, "9"},
	"timestamp": {`"2026-05-18"`, "1779105600"}, "sentAt": {`"2026-05-18T12:00:00Z"`}, "receivedAt": {`"2026-5-1"`},
	"context.groupId": {`"g"`}, "context.traits.email": {`"c@b.c"`}, "context.traits.name": {`"C"`},
	InTheBatch + "context.groupId": {`"bg"`}, InTheBatch + "context.traits.email": {`"batch@b.c"`}, InTheBatch + "context.traits.name": {`"B"`},
	"traits.email": {`"t@b.c"`}, "traits.name": {`"T"`}, "traits.organization_id": {`"to"`}, "traits.organization_name": {`"TO"`}, "traits.company": {`"TC"`, `{"name":"TCN"}`, `{"name":7}`},
	"properties.email": {`" P@b.c "`}, "properties.name": {`"P"`}, "properties.organization_id": {`"po"`}, "properties.organization_name": {`"PO"`}, "properties.company": {`"PC"`, `{"name":"PCN"}`},
	"properties.revenue": {"5", "-5", "0", `"$1,200.50"`, "1e30", "1e-30"}, "properties.price": {"2.5", "1e15"}, "properties.quantity": {"2", `"1e15"`},
	"properties.currency": {`"eur"`, `"USD"`}, "properties.gf_event_type": {`"Renamed Refund"`, `"Thing Done"`}, "properties.segment_event": {`"old"`},
	"properties.gf_influence": {`"negative"`, `"Positive"`}, "properties.gf_quality_impact_score": {"0.5", `"-1"`, "2"}, "properties.gf_conversation_id": {`"conv"`, "3"},
	"properties.gf_value": {"12", `"12 "`, `"$3.50"`, `"good"`, "true", "1e30", `"1"`, `"false"`}, "properties.gf_value_type": {`"currency"`, `"Numeric"`, `"text"`, `"boolean"`},
}

var drawnOfAPI = map[string][]string{
	"eventType": {`"Plan Upgraded"`, `" Signed Up "`, `"Payment Failed"`, `"Thing Done"`}, "eventAt": {`"2026-05-18"`, "1779105600"}, "insertId": {`"i"`},
	"externalUserId": {`"u"`}, "userHints.email": {`"c@b.c"`}, "userHints.name": {`"C"`}, "externalOrganizationId": {`"o"`}, "organizationHints.name": {`"O"`},
	"value": {"5", "-5", `"5.5"`, "0", `"five"`, "true", `"1"`}, "valueType": {`"currency"`, `"numeric"`, `"text"`, `"boolean"`}, "currency": {`"eur"`, `"USD"`},
	"influence": {`"negative"`, `"positive"`, `"neutral"`}, "qualityImpactScore": {"0.5", "-1"}, "externalConversationId": {`"conv"`}, "properties.a": {"1"},
}

// TestExplainedMembersDecide draws messages of all members that mapping knows, each absent, as it should be, or not.
func TestExplainedMembersDecide(t *testing.T) {
	for _, x := range []struct {
		*explainer
		members map[string][]string
		odd     []string
	}{
		{&ofSegment, drawn, []string{"null", `""`, `" "`, "true", "[]", "{}", `"?"`}},
		{&ofAPI, drawnOfAPI, []string{"null", `""`}},
	} {
		paths := slices.Sorted(maps.Keys(x.members))
		rapid.Check(t, func(t *rapid.T) {
			message := tree{}
			for _, path := range paths {
				switch draw := rapid.IntRange(0, 5).Draw(t, path); {
				case draw < 3, path == "type", path == "eventType":
					message.set(path, json.RawMessage(rapid.SampledFrom(x.members[path]).Draw(t, "value")))
				case draw == 3:
					message.set(path, json.RawMessage(rapid.SampledFrom(x.odd).Draw(t, "odd")))
				}
			}
			x.requireDecisive(t, message.message())
		})
	}
}
