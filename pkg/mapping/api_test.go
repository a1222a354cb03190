package mapping

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/scalar"
)

const apiEvent = `{"insertId":"order-4711-paid","eventType":" Order Completed","eventAt":"2026-05-18T14:00:00.123456+02:00","externalUserId":"J\u00fcrgen","userHints":{"email":" Ada@example.com ","name":" Ada Lovelace"},"externalOrganizationId":"org_42","organizationHints":{"name":"Analytical Engines "},"value":"$1,249.90","valueType":"currency","currency":"usd","influence":"neutral","qualityImpactScore":-0.7,"externalConversationId":"conv_7","properties":{"plan": "pro","revenue":5,"gf_influence":"negative"}}`

func mapAPIEvent(t *testing.T, raw string) *Event {
	t.Helper()
	var e Event
	require.NoError(t, new(Mapper).mapAPI(&Message{Raw: []byte(raw), ReceivedAt: receivedAt}, &e), raw)
	return &e
}

func TestMapAPIReadsEveryField(t *testing.T) {
	require.Equal(t, &Event{
		InsertID: []byte("api:order-4711-paid"), MessageID: []byte("order-4711-paid"), MessageType: API,
		EventType: []byte("Order Completed"), SourceEvent: []byte(" Order Completed"),
		EventAt: 1779105600123, EventAtSource: FromEventAt,
		ExternalUserID: []byte("Jürgen"), UserEmail: []byte("Ada@example.com"), UserName: []byte("Ada Lovelace"), UserNameSource: NameFromTraits,
		ExternalOrganizationID: []byte("org_42"), OrganizationName: []byte("Analytical Engines"), ExternalConversationID: []byte("conv_7"),
		Influence: Neutral, Score: -0.7, HasScore: true,
		ValueType: Currency, HasValue: true, Value: decimalOf(t, "1249.9"), ValueText: []byte("$1,249.90"), Currency: []byte("USD"),
		Properties: []byte(`{"plan": "pro","revenue":5,"gf_influence":"negative"}`),
	}, mapAPIEvent(t, apiEvent))
}

func decimalOf(t *testing.T, text string) scalar.Decimal {
	t.Helper()
	n, ok := scalar.ReadNumber([]byte(text))
	require.True(t, ok)
	d, ok := n.Decimal()
	require.True(t, ok)
	return d
}

func TestMapAPIOfTheLeast(t *testing.T) {
	raw := `{"eventType":"E"}`
	require.Equal(t, &Event{
		InsertID: fmt.Appendf(nil, "api:sha256:%x", sha256.Sum256([]byte(raw))), MessageType: API, EventType: []byte("E"), SourceEvent: []byte("E"),
		EventAt: receivedAt / 1000, EventAtSource: FromEdge, Influence: Neutral, Properties: []byte("{}"),
	}, mapAPIEvent(t, raw))
	blank := mapAPIEvent(t, `{"eventType":"E","insertId":"","externalUserId":"","userHints":{"email":"","name":" "},"externalOrganizationId":null,"organizationHints":{},"externalConversationId":"","currency":"","properties":null}`)
	blank.InsertID, blank.Currency = nil, nil
	least := mapAPIEvent(t, raw)
	least.InsertID = nil
	require.Equal(t, least, blank)
}

func TestAPIValueAndInfluence(t *testing.T) {
	for fields, want := range map[string]string{
		`"value":5`:                                               "neutral numeric 5 5",
		`"value":"5.50"`:                                          "neutral numeric 5.5 5.50",
		`"value":" five"`:                                         "neutral text  five",
		`"value":true`:                                            "neutral boolean true",
		`"value":"TRUE"`:                                          "neutral text TRUE",
		`"value":1,"valueType":"boolean"`:                         "neutral boolean 1",
		`"value":5,"valueType":"text"`:                            "neutral text 5",
		`"value":5,"currency":"eur"`:                              "positive currency 5 5 EUR",
		`"value":-5,"valueType":"currency"`:                       "negative currency -5 -5",
		`"value":0,"currency":"EUR"`:                              "neutral currency 0 0 EUR",
		`"value":-5,"currency":"EUR","valueType":"numeric"`:       "neutral numeric -5 -5 EUR",
		`"value":-5,"currency":"EUR","influence":"positive"`:      "positive currency -5 -5 EUR",
		`"currency":"EUR"`:                                        "neutral EUR",
		`"eventType":"Payment Failed"`:                            "negative",
		`"eventType":"Payment Failed","value":5,"currency":"EUR"`: "positive currency 5 5 EUR",
		`"eventType":"Payment Failed","value":5`:                  "negative numeric 5 5",
		`"eventType":"Signed Up","influence":"neutral"`:           "neutral",
		`"eventType":"Signed Up","value":0,"currency":"EUR"`:      "positive currency 0 0 EUR",
	} {
		e := mapAPIEvent(t, `{"eventType":"E",`+fields+`}`)
		got := e.Influence.String()
		if e.ValueType != NoValue {
			got += " " + e.ValueType.String()
		}
		if e.HasValue {
			got += " " + e.Value.String()
		}
		if e.ValueText != nil {
			got += " " + string(e.ValueText)
		}
		if e.Currency != nil {
			got += " " + string(e.Currency)
		}
		require.Equal(t, want, got, fields)
	}
}

func TestMapAPINamesWhatCannotBeMapped(t *testing.T) {
	for raw, code := range map[string]string{
		"": "not_an_event", `[{"eventType":"canary"}]`: "not_an_event", `{"eventType":"canary"`: "invalid_json", "{\"eventType\":\"canary\xff\"}": "invalid_utf8",
		`{"event":"canary"}`: "missing_event_type", `{"eventType":"canary","eventAt":"canary"}`: "invalid_event_at", `{"eventType":"canary","value":[]}`: "invalid_value",
	} {
		var unmappable *Unmappable
		err := new(Mapper).mapAPI(&Message{Raw: []byte(raw)}, new(Event))
		require.ErrorAs(t, err, &unmappable)
		require.Equal(t, code, unmappable.Code)
		require.NotContains(t, fmt.Sprintf("%v %+v", err, *unmappable), "canary")
	}
}

// The two enumerations have the names of the API.
func TestNamesAreTheAPIs(t *testing.T) {
	require.Equal(t, api.Influences, influences[1:])
	require.Equal(t, api.ValueTypes, valueTypes[1:])
}

func TestMapAPIAllocatesNothing(t *testing.T) {
	var m Mapper
	var e Event
	for _, raw := range []string{apiEvent, `{"eventType":"E"}`, `{"eventType":"Signed \"Up\"","userHints":{"email":"a\u0062@c.de"},"value":"\u0035"}`} {
		message := Message{Raw: []byte(raw), ReceivedAt: receivedAt}
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if m.mapAPI(&message, &e) != nil {
				t.Fatal("not mapped")
			}
		}), raw)
	}
}

// FuzzMapAPI: what the edge lets through is an event, and nothing else is; and what was mapped before
// leaves no trace.
func FuzzMapAPI(f *testing.F) {
	for _, raw := range []string{apiEvent, `{"eventType":"E"}`, `{"eventType":"\ud800","value":"x","currency":"EUR"}`, `{"eventType":"E","value":"１"}`, `{"eventType":"E","value":true,"batch":[]}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := payload.New(&api.EventFormat)
		if len(raw) == 0 || raw[0] != '{' || p.Parse(append(append([]byte(`[{"eventType":"E"},`), raw...), ']'), payload.DefaultLimits) != nil || p.Received() != 2 {
			return
		}
		raw = p.Messages[1].Raw
		var m Mapper
		var e Event
		err := m.mapAPI(&Message{Raw: raw, ReceivedAt: receivedAt}, &e)
		require.Equal(t, p.Messages[1].Reason == payload.Accepted, err == nil, "%q: %v", raw, err)
		requireExplained(t, &ofAPI, &Message{Raw: raw, ReceivedAt: receivedAt}, &e, err)
		if err != nil {
			return
		}
		checkInvariants(t, &e)
		var other Mapper
		var again Event
		require.NoError(t, other.mapAPI(&Message{Raw: []byte(apiEvent)}, &again))
		require.NoError(t, other.mapSegment(&Message{Raw: []byte(realistic)}, &again))
		require.NoError(t, other.mapAPI(&Message{Raw: raw, ReceivedAt: receivedAt}, &again))
		require.Equal(t, e, again)
	})
}

func BenchmarkMapAPI(b *testing.B) {
	var m Mapper
	var e Event
	message := Message{Raw: []byte(apiEvent), ReceivedAt: receivedAt}
	b.SetBytes(int64(len(apiEvent)))
	b.ReportAllocs()
	for b.Loop() {
		if m.mapAPI(&message, &e) != nil {
			b.Fatal("not mapped")
		}
	}
}
