package mapping

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/scalar"
)

const (
	identifyCall = `{"externalUserId":"J\u00fcrgen","email":" Ada@example.com ","name":" Ada Lovelace","externalOrganizationId":"org_42","organizationName":"Analytical \u0045ngines ","properties":{"plan": "pro"},"timestamp":"2026-05-18T14:00:00.123456+02:00"}`
	activityCall = `{"externalConversationId":"conv \u0037 ","externalUserId":"user_4711","email":"\u0061da@example.com","timestamp":1779105600,"properties":{"channel": "chat"}}`
)

func mapIdentify(t *testing.T, raw string) *Identify {
	t.Helper()
	var i Identify
	require.NoError(t, new(Mapper).mapIdentify(&Message{Raw: []byte(raw), ReceivedAt: receivedAt}, &i), raw)
	return &i
}

func mapConversation(t *testing.T, raw string) *Activity {
	t.Helper()
	var a Activity
	require.NoError(t, new(Mapper).mapActivity(&Message{Raw: []byte(raw), ReceivedAt: receivedAt}, &a), raw)
	return &a
}

func TestMapIdentify(t *testing.T) {
	require.Equal(t, &Identify{
		ExternalUserID: []byte("Jürgen"), Email: []byte("Ada@example.com"), Name: []byte("Ada Lovelace"), ExternalOrganizationID: []byte("org_42"),
		OrganizationName: []byte("Analytical Engines"), Properties: []byte(`{"plan": "pro"}`), At: 1779105600123,
	}, mapIdentify(t, identifyCall))
	require.Equal(t, &Identify{ExternalUserID: []byte(" u "), Properties: []byte("{}"), At: receivedAt / 1000}, mapIdentify(t, `{"externalUserId":" u "}`))
	require.Equal(t, &Identify{Email: []byte("a@b.c"), Properties: []byte("{}"), At: receivedAt / 1000},
		mapIdentify(t, `{"externalUserId":"","email":"a@b.c","name":" ","externalOrganizationId":"","organizationName":null,"properties":null,"timestamp":null}`))
}

// A call dated far ahead counts from its receipt, so that later calls supersede it.
func TestMapAPI_IncredibleTime_IsTimeOfReceipt(t *testing.T) {
	for kind, raw := range map[string]string{
		KindIdentify: `{"externalUserId":"u","timestamp":"%s"}`, KindConversation: `{"externalConversationId":"c","timestamp":"%s"}`,
		KindEvent: `{"eventType":"E","eventAt":"%s"}`,
	} {
		for at, credible := range map[string]bool{
			"2299-01-01": false, "1999-12-31T23:59:59.999Z": false, "2026-05-19T12:00:09.877Z": false,
			"2026-05-19T12:00:09.876Z": true, "2000-01-01": true,
		} {
			var r Result
			message := Message{Raw: fmt.Appendf(nil, raw, at), ReceivedAt: receivedAt}
			require.NoError(t, new(Mapper).MapRecord([]byte(kind), []byte(ProviderAPI), &message, &r))
			require.Equal(t, !credible, r.IncredibleTime, at)
			mapped := map[ResultType]int64{IsIdentify: r.Identify.At, IsActivity: r.Activity.At, IsEvent: r.Event.EventAt}[r.Type]
			require.Equal(t, credible, mapped != receivedAt/1000, at)
			require.Equal(t, kind == KindEvent && !credible, r.Event.EventAtSource == FromEdge)
		}
	}
	var m Mapper
	var r Result
	for i, raw := range []string{`{"externalUserId":"u","timestamp":"2299-01-01"}`, `{"externalUserId":"u"}`} {
		require.NoError(t, m.MapRecord([]byte(KindIdentify), []byte(ProviderAPI), &Message{Raw: []byte(raw), ReceivedAt: receivedAt}, &r))
		require.Equal(t, i == 0, r.IncredibleTime, "the message before does not count")
	}
}

func TestMapConversation(t *testing.T) {
	require.Equal(t, &Activity{
		ExternalConversationID: []byte("conv 7 "), ExternalUserID: []byte("user_4711"), Email: []byte("ada@example.com"), Properties: []byte(`{"channel": "chat"}`), At: 1779105600000,
	}, mapConversation(t, activityCall))
	require.Equal(t, &Activity{ExternalConversationID: []byte("c"), Properties: []byte("{}"), At: receivedAt / 1000}, mapConversation(t, `{"externalConversationId":"c","externalUserId":"","email":null}`))
}

// mappings are the two as functions of a message alone.
var mappings = map[string]func(*Mapper, *Message) error{
	"identify":     func(m *Mapper, msg *Message) error { return m.mapIdentify(msg, new(Identify)) },
	"conversation": func(m *Mapper, msg *Message) error { return m.mapActivity(msg, new(Activity)) },
}

func TestWhatSubjectsCannotBe(t *testing.T) {
	for what, rows := range map[string]map[string]string{
		"identify": {
			"": "not_an_object", `[{"email":"canary@b.c"}]`: "not_an_object", `{"email":"canary@b.c"`: "invalid_json", "{\"email\":\"canary@b.c\xff\"}": "invalid_utf8",
			`{"name":"canary"}`: "missing_user", `{"email":"canary"}`: "invalid_email", `{"externalUserId":5}`: "invalid_external_user_id", `{"email":"a@b.c","timestamp":"canary"}`: "invalid_timestamp",
		},
		"conversation": {
			"5": "not_an_object", `{"externalConversationId":"canary",}`: "invalid_json", `{"externalUserId":"canary"}`: "missing_external_conversation_id",
			`{"externalConversationId":["canary"]}`: "invalid_external_conversation_id", `{"externalConversationId":"c","properties":"canary"}`: "invalid_properties",
		},
	} {
		for raw, code := range rows {
			var unmappable *Unmappable
			err := mappings[what](new(Mapper), &Message{Raw: []byte(raw)})
			require.ErrorAs(t, err, &unmappable, raw)
			require.Equal(t, code, unmappable.Code)
			require.NotContains(t, fmt.Sprintf("%v %+v", err, *unmappable), "canary")
		}
	}
}

func TestMapSubjectsAllocatesNothing(t *testing.T) {
	var m Mapper
	var i Identify
	var a Activity
	call, activity := Message{Raw: []byte(identifyCall), ReceivedAt: receivedAt}, Message{Raw: []byte(activityCall), ReceivedAt: receivedAt}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if m.mapIdentify(&call, &i) != nil || m.mapActivity(&activity, &a) != nil {
			t.Fatal("not mapped")
		}
	}))
}

// FuzzMapSubject: what the edge lets through can be mapped, and nothing else; and what was mapped before leaves
// no trace.
func FuzzMapSubject(f *testing.F) {
	for _, raw := range []string{identifyCall, activityCall, `{"email":"a@b.c"}`, `{"externalConversationId":"\ud800"}`, `{"externalUserId":"\u0000","externalConversationId":" ","batch":[]}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if message, taken := takenBy(t, &api.IdentifyFormat, identifyCall, raw); message != nil {
			var m, other Mapper
			var i, again Identify
			err := m.mapIdentify(message, &i)
			require.Equal(t, taken, err == nil, "%q: %v", raw, err)
			if err == nil {
				requireSubject(t, i.ExternalUserID, i.Email, i.Properties, i.At)
				require.False(t, i.ExternalUserID == nil && i.Email == nil)
				useUp(t, &other)
				require.NoError(t, other.mapIdentify(message, &again))
				require.Equal(t, i, again)
			}
		}
		if message, taken := takenBy(t, &api.ActivityFormat, activityCall, raw); message != nil {
			var m, other Mapper
			var a, again Activity
			err := m.mapActivity(message, &a)
			require.Equal(t, taken, err == nil, "%q: %v", raw, err)
			if err == nil {
				requireSubject(t, a.ExternalUserID, a.Email, a.Properties, a.At)
				require.NotEmpty(t, a.ExternalConversationID)
				useUp(t, &other)
				require.NoError(t, other.mapActivity(message, &again))
				require.Equal(t, a, again)
			}
		}
	})
}

// takenBy is the message that an edge cuts out of a batch, and whether it takes it; nil if it is no object.
func takenBy(t *testing.T, format *payload.Format, valid string, raw []byte) (m *Message, taken bool) {
	t.Helper()
	p := payload.New(format)
	if len(raw) == 0 || raw[0] != '{' || p.Parse(append(append([]byte("["+valid+","), raw...), ']'), payload.DefaultLimits) != nil || p.Received() != 2 {
		return nil, false
	}
	return &Message{Raw: p.Messages[1].Raw, ReceivedAt: receivedAt}, p.Messages[1].Reason == payload.Accepted
}

// useUp has a Mapper map everything else before.
func useUp(t *testing.T, m *Mapper) {
	t.Helper()
	require.NoError(t, m.mapAPI(&Message{Raw: []byte(apiEvent)}, new(Event)))
	require.NoError(t, m.mapIdentify(&Message{Raw: []byte(identifyCall)}, new(Identify)))
	require.NoError(t, m.mapActivity(&Message{Raw: []byte(activityCall)}, new(Activity)))
	require.NoError(t, m.mapSegment(&Message{Raw: []byte(realistic)}, new(Event)))
}

func requireSubject(t *testing.T, id, email, properties []byte, at int64) {
	t.Helper()
	require.True(t, utf8.Valid(id) && json.Valid(properties))
	require.True(t, id == nil || len(id) > 0)
	require.True(t, email == nil || scalar.LooksLikeAddress(email))
	require.True(t, at == receivedAt/1000 || minCredibleMs <= at && at <= receivedAt/1000+maxAheadMs)
}

func BenchmarkMapIdentify(b *testing.B) {
	var m Mapper
	var i Identify
	message := Message{Raw: []byte(identifyCall), ReceivedAt: receivedAt}
	b.SetBytes(int64(len(identifyCall)))
	b.ReportAllocs()
	for b.Loop() {
		if m.mapIdentify(&message, &i) != nil {
			b.Fatal("not mapped")
		}
	}
}
