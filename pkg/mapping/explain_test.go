package mapping

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func explain(t *testing.T, raw, batch string) map[string]Explained {
	t.Helper()
	message := Message{Raw: []byte(raw), ReceivedAt: receivedAt}
	if batch != "" {
		message.Context = []byte(batch)
	}
	list, _, err := ofSegment.explain(&message)
	require.NoError(t, err, raw)
	return byField(list)
}

func byField(list []Explained) map[string]Explained {
	fields := map[string]Explained{}
	for _, x := range list {
		fields[x.Field] = x
	}
	return fields
}

// line is a field as the tables below have it: its value, or null, and the rule.
func (x Explained) line() string {
	if !x.Given {
		return "null: " + x.Rule
	}
	return x.Value + ": " + x.Rule
}

// TestExplain_Properties_NameTheRule goes through the contract's rules. Rows are members of a track's properties, a field, and what is
// said of it.
func TestExplain_Properties_NameTheRule(t *testing.T) {
	for _, row := range [][3]string{
		{`"revenue":49.0`, "influence", "positive: properties.revenue is above zero"},
		{`"revenue":"-$1,049"`, "influence", "negative: properties.revenue is below zero"},
		{`"revenue":0`, "influence", `neutral: no word of the name is a keyword; properties.revenue is zero and does not count`},
		{`"revenue":"much"`, "influence", "neutral: no word of the name is a keyword; properties.revenue cannot be read as a number: ignored"},
		{`"revenue":-1,"gf_influence":"Positive"`, "influence", "positive: properties.gf_influence"},
		{`"revenue":-1,"gf_influence":"good"`, "influence", "negative: properties.revenue is below zero; properties.gf_influence is neither positive, negative nor neutral: ignored"},
		{`"gf_event_type":"Plan Upgraded"`, "influence", `positive: the word "Upgraded" of the name, a form of "upgrade"`},
		{`"price":5,"quantity":2`, "influence", "neutral: no word of the name is a keyword; price × quantity does not count"},

		{`"revenue":49.0,"price":5,"quantity":2`, "value", "49: properties.revenue"},
		{`"revenue":49.0`, "value_text", "49.0: properties.revenue"},
		{`"revenue":49.0`, "value_type", "currency: properties.revenue is an amount of money"},
		{`"price":"$5","quantity":2`, "value", "10: properties.price × properties.quantity"},
		{`"price":5,"quantity":2`, "value_type", "currency: properties.price × properties.quantity is an amount of money"},
		{`"revenue":[],"price":5,"quantity":2`, "value", "10: properties.price × properties.quantity; properties.revenue is neither a number nor text: ignored"},
		{`"revenue":1e30`, "value", "null: there is no amount: neither a revenue nor price × quantity; properties.revenue has more than 20 digits before the point: ignored"},
		{`"price":1e15,"quantity":1e15`, "value", "null: there is no amount: neither a revenue nor price × quantity; properties.price × properties.quantity has more than 20 digits before the point: ignored"},
		{`"price":5`, "value", "null: there is no amount: neither a revenue nor price × quantity; properties.price counts only with a properties.quantity: ignored"},
		{`"price":"five","quantity":2`, "value", "null: there is no amount: neither a revenue nor price × quantity; properties.price cannot be read as a number: ignored; properties.quantity counts only with a properties.price: ignored"},
		{`"revenue":null`, "value", "null: there is no amount: neither a revenue nor price × quantity"},
		{`"revenue":5,"gf_value":7`, "value", "7: properties.gf_value"},
		{`"gf_value":7`, "value_type", "currency: properties.gf_value is a number"},
		{`"gf_value":"a lot"`, "value_type", "text: properties.gf_value cannot be read as a number: it is text"},
		{`"gf_value":1e30`, "value_type", "text: properties.gf_value has more than 20 digits before the point: it is text"},
		{`"gf_value":"a lot"`, "value", "null: null, because the value is text: see value_text"},
		{`"gf_value":"a lot"`, "value_text", "a lot: properties.gf_value"},
		{`"gf_value":"7","gf_value_type":"Numeric"`, "value_type", "numeric: properties.gf_value_type"},
		{`"gf_value":"7","gf_value_type":"number"`, "value_type", "currency: properties.gf_value is a number; properties.gf_value_type is none of currency, numeric, text and boolean: ignored"},
		{`"gf_value":true,"gf_value_type":"boolean"`, "value_text", "true: properties.gf_value"},
		{`"revenue":5,"gf_value":true`, "value", "5: properties.revenue; properties.gf_value is neither a number nor text: ignored"},
		{`"revenue":5,"gf_value":" "`, "value", "5: properties.revenue; properties.gf_value is blank: ignored"},
		{`"revenue":5,"gf_value":"yes","gf_value_type":"boolean"`, "value", "5: properties.revenue; properties.gf_value is not one of true, false, 1 and 0: ignored"},
		{`"revenue":5,"gf_value":"yes","gf_value_type":"boolean"`, "value_type", "currency: properties.revenue is an amount of money; properties.gf_value_type is boolean, which an amount is not: ignored"},
		{`"revenue":5,"gf_value":"yes","gf_value_type":"numeric"`, "value", "5: properties.revenue; properties.gf_value cannot be read as a number: ignored"},
		{`"revenue":5,"gf_value":1e25,"gf_value_type":"numeric"`, "value", "5: properties.revenue; properties.gf_value has more than 20 digits before the point: ignored"},
		{`"revenue":5,"gf_value_type":"numeric"`, "value_type", "numeric: properties.gf_value_type"},
		{`"revenue":5,"gf_value_type":"text"`, "value_text", "5: properties.revenue"},
		{`"gf_value_type":"numeric"`, "value_type", "null: there is no value; properties.gf_value_type has no value to be the type of: ignored"},

		{`"currency":"usd"`, "currency", "USD: properties.currency, in upper case"},
		{`"currency":"dollars"`, "currency", "null: there is no usable properties.currency; properties.currency is not a code of three letters: ignored"},
		{``, "currency", "null: there is no properties.currency"},
		{`"gf_quality_impact_score":-0.5`, "quality_impact_score", "-0.5: properties.gf_quality_impact_score"},
		{`"gf_quality_impact_score":2`, "quality_impact_score", "null: there is no usable properties.gf_quality_impact_score; properties.gf_quality_impact_score is not a number from -1 to 1: ignored"},
		{``, "quality_impact_score", "null: there is no properties.gf_quality_impact_score"},
		{`"gf_conversation_id":"c7"`, "external_conversation_id", "c7: properties.gf_conversation_id"},
		{`"gf_conversation_id":" "`, "external_conversation_id", "null: there is no usable properties.gf_conversation_id; properties.gf_conversation_id is blank: ignored"},
		{`"gf_conversation_id":{}`, "external_conversation_id", "null: there is no usable properties.gf_conversation_id; properties.gf_conversation_id is neither text nor a number: ignored"},

		{`"gf_event_type":" Plan Upgraded "`, "event_type", "Plan Upgraded: properties.gf_event_type"},
		{`"gf_event_type":5`, "event_type", "Thing Done: event; properties.gf_event_type is not text: ignored"},
		{`"gf_event_type":" "`, "event_type", "Thing Done: event; properties.gf_event_type is blank: ignored"},
		{`"gf_event_type":"X"`, "source_event", " Thing Done: event, as it was sent"},
		{`"gf_event_type":"X"`, "properties", `{"gf_event_type":"X","segment_event":" Thing Done"}: properties, byte for byte, and the original name after them as segment_event`},
		{`"gf_event_type":"X","segment_event":1`, "properties", `{"gf_event_type":"X","segment_event":1}: properties, byte for byte; they have a segment_event: the original name is not appended`},
		{`"a": 1`, "properties", `{"a": 1}: properties, byte for byte`},
	} {
		require.Equal(t, row[2], explain(t, `{"type":"track","event":" Thing Done","properties":{`+row[0]+`}}`, "")[row[1]].line(), row[0])
	}
}

// TestExplain_Members_NameTheRule is the same for members beside the properties; behind a ~ is the context beside the batch.
func TestExplain_Members_NameTheRule(t *testing.T) {
	const noAddress = "null: there is no context.traits.email, traits.email or properties.email"
	for _, row := range [][3]string{
		{`"type":"track","event":"E","messageId":7`, "insert_id", "segment:7: messageId"},
		{`"type":"page","messageId":7`, "message_type", "page: type"},
		{`"type":"page","name":" "`, "event_type", "page: the message's type, because it has no name; name is blank: ignored"},
		{`"type":"page","name":"Home","event":"E"`, "event_type", "Home: name"},
		{`"type":"screen"`, "source_event", "null: there is no name"},
		{`"type":"page","properties":null`, "properties", "{}: there are no properties"},

		{`"type":"page","timestamp":"2026-05-18T14:00:00+02:00"`, "event_at", "2026-05-18 12:00:00.000: timestamp"},
		{`"type":"page","timestamp":"yesterday","originalTimestamp":null,"sentAt":1779105600`, "event_at", "2026-05-18 12:00:00.000: sentAt; timestamp cannot be read as a time: ignored"},
		{`"type":"page","timestamp":"yesterday"`, "event_at", "2026-05-18 12:00:09.876: the time of receipt, because the message has no usable time; timestamp cannot be read as a time: ignored"},
		{`"type":"page","timestamp":"1970-01-01","sentAt":1779105600`, "event_at", "2026-05-18 12:00:00.000: sentAt; timestamp is before 2000 or more than 24 hours after receipt: ignored"},
		{`"type":"page","receivedAt":"2026-05-18T12:00:00Z"`, "event_at_source", "receivedAt: receivedAt"},

		{`"type":"page","userId":"u","anonymousId":"a"`, "external_user_id", "u: userId"},
		{`"type":"page","userId":null,"anonymousId":"a"`, "external_user_id", "a: anonymousId"},
		{`"type":"page","userId":true,"anonymousId":12`, "external_user_id", "12: anonymousId; userId is neither text nor a number: ignored"},
		{`"type":"page"`, "external_user_id", "null: there is no userId or anonymousId"},
		{`"type":"page","userId":"u"`, "user_id", "null: the user with this external_user_id; null until an identify, a conversation or an e-mail address makes that user known"},
		{`"type":"page","userId":"u","traits":{"email":"a@b.c"}`, "user_id", "null: the user with this external_user_id; else the user with this user_email; else a new user with both"},
		{`"type":"page","traits":{"email":"a@b.c"}`, "user_id", "null: the user with this user_email; else a new user"},
		{`"type":"page"`, "user_id", "null: null: there is neither an external_user_id nor a user_email"},

		{`"type":"page","context":{"traits":{"email":"a@b.c"}},"traits":{"email":"b@b.c"}`, "user_email", "a@b.c: context.traits.email"},
		{`"type":"page","context":{"traits":{"email":"nobody"}},"traits":{"email":"b@b.c"}`, "user_email", "b@b.c: traits.email; context.traits.email does not look like an address: ignored"},
		{`"type":"page","context":{"traits":{"email":null}},"properties":{"email":"c@b.c"}`, "user_email", "c@b.c: properties.email"},
		{`"type":"page","traits":{"email":"t@b.c"}~{"traits":{"email":"batch@b.c"}}`, "user_email", "batch@b.c: the batch's context.traits.email"},
		{`"type":"page","context":{"traits":{"email":"own@b.c"}}~{"traits":{"email":"batch@b.c"}}`, "user_email", "own@b.c: context.traits.email"},
		{`"type":"page"~{"traits":{"email":"batch"}}`, "user_email", "null: there is no usable context.traits.email, the batch's context.traits.email, traits.email or properties.email; the batch's context.traits.email does not look like an address: ignored"},
		{`"type":"page"`, "user_email", noAddress},
		{`"type":"page","context":"?"`, "user_email", noAddress},
		{`"type":"screen","name":"Pricing","properties":{"name":"Pricing"}`, "user_name", "null: there is no context.traits.name or traits.name"},
		{`"type":"track","event":"E","context":{"traits":{"name":5}},"properties":{"name":"Ada"}`, "user_name", "Ada: properties.name; context.traits.name is not text: ignored"},

		{`"type":"page","context":{"groupId":5},"traits":{"organization_id":"t"}`, "external_organization_id", "5: context.groupId"},
		{`"type":"page","traits":{"organization_id":"t"}~{"groupId":"g"}`, "external_organization_id", "g: the batch's context.groupId"},
		{`"type":"page","traits":{"organization_id":"t"}`, "external_organization_id", "t: traits.organization_id"},
		{`"type":"page","properties":{"organization_id":"p"}`, "external_organization_id", "p: properties.organization_id"},
		{`"type":"page","traits":{"organization_id":"t"}`, "organization_id", "null: the organization with this external_organization_id; else a new one"},
		{`"type":"page","traits":{"company":"C"}`, "organization_id", "null: null: there is no external_organization_id, and a name does not identify an organization"},
		{`"type":"page"`, "organization_id", "null: null: there is no external_organization_id"},
		{`"type":"page","traits":{"organization_name":"O","company":"C"}`, "organization_name", "O: traits.organization_name"},
		{`"type":"page","traits":{"organization_name":7,"company":"C"}`, "organization_name", "C: traits.company; traits.organization_name is not text: ignored"},
		{`"type":"page","traits":{"company":{"name":"N"}}`, "organization_name", "N: traits.company.name"},
		{`"type":"page","traits":{"company":{"name":" "}},"properties":{"company":"C"}`, "organization_name", "C: properties.company; traits.company.name is blank: ignored"},

		{`"type":"page","userId":"u"`, "conversation_id", "null: the user's conversation in this product with the latest activity in the 15 minutes up to event_at, both ends included; null if there is none"},
		{`"type":"page","properties":{"gf_conversation_id":"c"}`, "conversation_id", "null: the conversation with this external_conversation_id; null until its first activity"},
		{`"type":"page"`, "conversation_id", "null: null: the event names neither a conversation nor a user"},
	} {
		members, batch, _ := strings.Cut(row[0], "~")
		require.Equal(t, row[2], explain(t, "{"+members+"}", batch)[row[1]].line(), row[0])
	}
	hashed := explain(t, `{"type":"page","messageId":[]}`, "")["insert_id"]
	require.Equal(t, "the hash of the message's bytes, because it has no id; messageId is neither text nor a number: ignored", hashed.Rule)
	require.Len(t, hashed.Value, len("segment:sha256:")+64)
}

func TestExplain_StoredDataDecides_IsLater(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"page"}`:                                       "",
		`{"type":"page","userId":"u"}`:                          "user_id conversation_id",
		`{"type":"page","traits":{"email":"a@b.c"}}`:            "user_id conversation_id",
		`{"type":"page","traits":{"organization_id":1}}`:        "organization_id",
		`{"type":"page","traits":{"company":"C"}}`:              "",
		`{"type":"page","properties":{"gf_conversation_id":1}}`: "conversation_id",
	} {
		list, _, err := ofSegment.explain(&Message{Raw: []byte(raw)})
		require.NoError(t, err)
		var later []string
		for _, x := range list {
			if x.Later {
				later = append(later, x.Field)
			}
		}
		require.Equal(t, want, strings.Join(later, " "), raw)
	}
}

func TestExplain_APIEvent_NamesTheRule(t *testing.T) {
	for _, row := range [][3]string{
		{`"insertId":"i"`, "insert_id", "api:i: insertId"},
		{``, "message_type", "event: it came through the API"},
		{`"eventType":" Plan Upgraded"`, "event_type", "Plan Upgraded: eventType"},
		{`"eventType":" Plan Upgraded"`, "source_event", " Plan Upgraded: eventType, as it was sent"},
		{`"eventAt":1779105600`, "event_at", "2026-05-18 12:00:00.000: eventAt"},
		{`"eventAt":"2299-01-01"`, "event_at", "2026-05-18 12:00:09.876: the time of receipt, because the message has no usable time; eventAt is before 2000 or more than 24 hours after receipt: ignored"},
		{``, "event_at", "2026-05-18 12:00:09.876: the time of receipt, because the message has no usable time"},
		{`"externalUserId":"u"`, "external_user_id", "u: externalUserId"},
		{`"userHints":{"email":"a@b.c"}`, "user_email", "a@b.c: userHints.email"},
		{`"userHints":{"name":" "}`, "user_name", "null: there is no usable userHints.name; userHints.name is blank: ignored"},
		{`"organizationHints":{"name":"O"}`, "organization_name", "O: organizationHints.name"},
		{`"externalOrganizationId":"o"`, "external_organization_id", "o: externalOrganizationId"},
		{`"externalConversationId":"c"`, "external_conversation_id", "c: externalConversationId"},
		{`"qualityImpactScore":1`, "quality_impact_score", "1: qualityImpactScore"},
		{``, "quality_impact_score", "null: there is no qualityImpactScore"},
		{`"currency":"eur"`, "currency", "EUR: currency, in upper case"},
		{`"properties":{"a": 1}`, "properties", `{"a": 1}: properties, byte for byte`},
		{``, "properties", `{}: there are no properties`},

		{``, "value", "null: there is no value"},
		{`"value":"$5"`, "value", "5: value"},
		{`"value":"five"`, "value", "null: null, because the value is text: see value_text"},
		{`"value":5,"valueType":"currency"`, "value_type", "currency: valueType"},
		{`"value":5,"currency":"EUR"`, "value_type", "currency: there is a currency"},
		{`"value":5`, "value_type", "numeric: value is a number"},
		{`"value":true`, "value_type", "boolean: value is true or false"},
		{`"value":"x","valueType":null`, "value_type", "text: value is text"},
		{`"valueType":"text"`, "value_type", "null: there is no value; valueType has no value to be the type of: ignored"},

		{`"value":5,"currency":"EUR","influence":"neutral"`, "influence", "neutral: influence"},
		{`"value":5,"currency":"EUR"`, "influence", "positive: value is above zero"},
		{`"value":-5,"valueType":"currency"`, "influence", "negative: value is below zero"},
		{`"value":0,"currency":"EUR"`, "influence", "neutral: no word of the name is a keyword; value is zero and does not count"},
		{`"value":-5`, "influence", "neutral: no word of the name is a keyword; value is no amount of money and does not count"},
		{`"eventType":"Payment Failed","value":true`, "influence", `negative: the word "Failed" of the name`},
	} {
		raw := `{"eventType":"E",` + row[0] + `}`
		list, _, err := ofAPI.explain(&Message{Raw: []byte(strings.Replace(raw, ",}", "}", 1)), ReceivedAt: receivedAt})
		require.NoError(t, err, raw)
		require.Equal(t, row[2], byField(list)[row[1]].line(), raw)
	}
}

func TestExplain_UnmappableMessage_ReturnsTheReason(t *testing.T) {
	var unmappable *Unmappable
	_, _, err := ofSegment.explain(&Message{Raw: []byte(`{"type":"track"}`)})
	require.ErrorAs(t, err, &unmappable)
	require.Equal(t, "missing_event", unmappable.Code)
	_, _, err = ofAPI.explain(&Message{Raw: []byte(`{"eventType":5}`)})
	require.ErrorAs(t, err, &unmappable)
	require.Equal(t, "invalid_event_type", unmappable.Code)
}

// TestExplain_HasEveryColumnOfTheView holds the fields to the view that analysts read. Those of the view that are not here are the
// connection's, or told by another.
func TestExplain_HasEveryColumnOfTheView(t *testing.T) {
	view, err := os.ReadFile("../../schemas/migrations/00003_outcomes.sql")
	require.NoError(t, err)
	_, columns, _ := strings.Cut(string(view), "SELECT")
	columns, _, _ = strings.Cut(columns, "FROM")
	fields := explain(t, realistic, "")
	for _, other := range strings.Fields("workspace_id product_id connection_id message_id received_at source") {
		require.NotContains(t, fields, other)
		fields[other] = Explained{}
	}
	var known []string
	for field := range fields {
		known = append(known, field)
	}
	require.ElementsMatch(t, strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune(", \n", r) }), known)
}

func TestExplain_NextMessage_DoesNotChangeIt(t *testing.T) {
	m := NewExplainer()
	var e Event
	raw := []byte(ordinary["escapes"])
	require.NoError(t, m.mapSegment(&Message{Raw: raw}, &e))
	list := m.Explain(&e)
	before := fmt.Sprint(list)
	clear(raw)
	require.NoError(t, m.mapSegment(&Message{Raw: []byte(ordinary["renamed"])}, &e))
	require.Equal(t, before, fmt.Sprint(list))
}
