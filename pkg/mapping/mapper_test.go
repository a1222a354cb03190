package mapping

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	gojson "github.com/goccy/go-json"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/scalar"
)

// receivedAt is 2026-05-18T12:00:09.876543Z.
const receivedAt = 1779105609876543

// realistic is what analytics.js sends of a finished order, by way of Segment's webhooks.
const realistic = `{"type":"track","event":"Order Completed","userId":"user_4711","messageId":"ajs-next-1747562400000-9d7f2c3e-1b2a-4c5d","timestamp":"2026-05-18T12:00:00.000Z","sentAt":"2026-05-18T12:00:00.100Z","context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","library":{"name":"analytics.js","version":"2.1.0"},"page":{"path":"/checkout","title":"Checkout","url":"https://shop.example.com/checkout"},"traits":{"email":"ada@example.com","name":"Ada Lovelace"},"groupId":"org_42"},"properties":{"revenue":49.0,"currency":"USD","plan":"pro","products":[{"sku":"A-1","price":19.5,"quantity":2},{"sku":"B-2","price":10}]}}`

// ordinary messages, which must cost no allocation: the names say what is special about each.
var ordinary = map[string]string{
	"plain":             realistic,
	"escapes":           `{"type":"track","event":"Signed \"Up\"","userId":"J\u00fcrgen","messageId":"m\/1","properties":{"email":"a\u0062@c.de","currency":"eur","name":"\ud83d\ude00"}}`,
	"renamed":           `{"type":"track","event":"Thing Done","messageId":"m1","properties":{"gf_event_type":"Workspace Activated","gf_quality_impact_score":0.7,"gf_influence":"positive"}}`,
	"price by quantity": `{"type":"track","event":"Product Added","messageId":"m1","timestamp":1779105600,"properties":{"price":"$1,019.99","quantity":3,"currency":"usd"}}`,
	"no message id":     `{"type":"page","anonymousId":"a-1","sentAt":"2026-05-18T14:00:00.123456+02:00","properties":{}}`,
	"gf_value":          `{"type":"screen","name":"Pricing","messageId":7,"properties":{"gf_value":"12.50","gf_value_type":"numeric"}}`,
}

func TestMapAllocatesNothing(t *testing.T) {
	var m Mapper
	var e Event
	batch := []byte(`{"groupId":"g","traits":{"email":"b@example.com"}}`)
	for name, raw := range ordinary {
		message := Message{Raw: []byte(raw), Context: batch, ReceivedAt: receivedAt}
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if m.mapSegment(&message, &e) != nil {
				t.Fatal("not mapped")
			}
		}), name)
	}
}

func TestMapForgetsTheMessageBefore(t *testing.T) {
	var used Mapper
	for _, before := range ordinary {
		for name, raw := range ordinary {
			var want, got Event
			var fresh Mapper
			require.NoError(t, fresh.mapSegment(&Message{Raw: []byte(raw), ReceivedAt: receivedAt}, &want))
			batch := []byte(`{"groupId":"g","traits":{"email":"b@example.com","name":"B"}}`)
			require.NoError(t, used.mapSegment(&Message{Raw: []byte(before), Context: batch}, &got))
			require.NoError(t, used.mapSegment(&Message{Raw: []byte(raw), ReceivedAt: receivedAt}, &got))
			require.Equal(t, want, got, name)
		}
	}
}

func TestMapNamesWhatCannotBeMapped(t *testing.T) {
	for raw, code := range map[string]string{
		"": "not_a_message", "canary": "not_a_message", `{"type":"track","event":"canary"`: "invalid_json", "{\"type\":\"track\",\"event\":\"canary\xff\"}": "invalid_utf8",
		`{"type":"track","event":"canary","x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}": "nested_too_deeply",
		`{"type":"canary"}`: "unknown_type", `{"type":"Track","event":"canary"}`: "unknown_type", `{"type":"identify","userId":"canary"}`: "ignored_type", `{"type":"track","properties":{"event":"canary"}}`: "missing_event", `{"type":"page","properties":"canary"}`: "invalid_properties",
	} {
		var m Mapper
		var unmappable *Unmappable
		err := m.mapSegment(&Message{Raw: []byte(raw)}, new(Event))
		require.ErrorAs(t, err, &unmappable)
		require.Equal(t, code, unmappable.Code)
		require.NotContains(t, fmt.Sprintf("%v %+v", err, *unmappable), "canary")
	}
	deep := strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1)
	require.NoError(t, new(Mapper).mapSegment(&Message{Raw: []byte(`{"type":"track","event":"E","x":` + deep + "}")}, new(Event)))
}

func TestInsertIDOfAMessageWithoutOne(t *testing.T) {
	raw := []byte(`{"type":"track","event":"E"}`)
	var e Event
	require.NoError(t, new(Mapper).mapSegment(&Message{Raw: raw}, &e))
	require.Equal(t, fmt.Sprintf("segment:sha256:%x", sha256.Sum256(raw)), string(e.InsertID))
	require.Nil(t, e.MessageID)
}

func TestEmailIsOfBoundedLength(t *testing.T) {
	const domain = "@example.com"
	for length, ok := range map[int]bool{scalar.MaxAddressBytes: true, scalar.MaxAddressBytes + 1: false} {
		email := strings.Repeat("a", length-len(domain)) + domain
		var e Event
		require.NoError(t, new(Mapper).mapSegment(&Message{Raw: []byte(`{"type":"page","traits":{"email":"` + email + `"}}`)}, &e))
		require.Equal(t, ok, e.UserEmail != nil)
	}
	for _, c := range "\u0000\u001f\u007f\u0085\u00a0\u2003 \t" {
		require.False(t, scalar.LooksLikeAddress([]byte("a"+string(c)+"b@example.com")), "%q", c)
	}
}

func TestBrokenContextBesideTheBatchIsNoError(t *testing.T) {
	var m Mapper
	for _, context := range []string{`{"groupId":"bad"`, `{"groupId":"bad"} {}`, "{\"groupId\":\"bad\xff\"}", `[]`, `"bad"`, ``, `{"groupId":"bad","x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`} {
		var e Event
		require.NoError(t, m.mapSegment(&Message{Raw: []byte(`{"type":"page"}`), Context: []byte(`{"groupId":"good"}`)}, &e))
		require.Equal(t, "good", string(e.ExternalOrganizationID))
		require.NoError(t, m.mapSegment(&Message{Raw: []byte(`{"type":"page"}`), Context: []byte(context)}, &e))
		require.Nil(t, e.ExternalOrganizationID, context)
	}
}

func TestNamesOfOverrides(t *testing.T) {
	var got []string
	(OverrideEventType | OverrideValue | OverrideConversationID).Each(func(i int) { got = append(got, OverrideNames[i]) })
	require.Equal(t, []string{"gf_event_type", "gf_value", "gf_conversation_id"}, got)
	Overrides(0).Each(func(int) { t.Fatal("of an empty set") })
	require.Equal(t, "gf_value_type", OverrideNames[bits.TrailingZeros8(uint8(OverrideValueType))])
	require.Equal(t, "gf_influence", OverrideNames[bits.TrailingZeros8(uint8(OverrideInfluence))])
	require.Equal(t, "gf_quality_impact_score", OverrideNames[bits.TrailingZeros8(uint8(OverrideScore))])
}

func BenchmarkMap(b *testing.B) {
	for name, raw := range ordinary {
		b.Run(name, func(b *testing.B) {
			var m Mapper
			var e Event
			message := Message{Raw: []byte(raw), ReceivedAt: receivedAt}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if m.mapSegment(&message, &e) != nil {
					b.Fatal("not mapped")
				}
			}
		})
	}
}

// BenchmarkStruct is go-json reading the fields of the plain message into a struct and doing nothing with them.
func BenchmarkStruct(b *testing.B) {
	type traits struct{ Email, Name string }
	raw := []byte(realistic)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var m struct {
			Type, Event, UserID, AnonymousID, MessageID, Timestamp string
			Context                                                struct {
				GroupID string
				Traits  traits
			}
			Traits     traits
			Properties gojson.RawMessage
		}
		var p struct {
			Revenue, Price, Quantity gojson.Number
			Currency, Email, Name    string
		}
		if gojson.Unmarshal(raw, &m) != nil || gojson.Unmarshal(m.Properties, &p) != nil || p.Currency != "USD" {
			b.Fatal("not read")
		}
	}
}

func BenchmarkInfluence(b *testing.B) {
	var w words
	name := []byte("Subscription Payment Failed")
	b.ReportAllocs()
	for b.Loop() {
		if w.influence(name) != Negative {
			b.Fatal("not negative")
		}
	}
}
