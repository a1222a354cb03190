package mapping

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/scalar"
)

// object is a second opinion on a JSON object: exact names, the last of duplicates counts.
type object map[string]json.RawMessage

func objectOf(raw []byte) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// text is a member that is a string, "" if there is none.
func (o object) text(name string) string {
	var s *string
	if json.Unmarshal(o[name], &s) != nil || s == nil {
		return ""
	}
	return *s
}

// loneSurrogate is an escape in a JSON text that encoding/json reads as U+FFFD.
var loneSurrogate = regexp.MustCompile(`(?i)\\u(d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|d[89a-f][0-9a-f]{2}|[0-9a-f]{4})|\\.`)

// id is a member that is a string with text in it, or a number. Escapes of lone surrogates are texts.
func (o object) id(name string) string {
	var n json.Number
	if strings.TrimSpace(o.text(name)) != "" {
		kept := object{name: loneSurrogate.ReplaceAllFunc(o[name], func(escape []byte) []byte {
			if len(escape) == 6 && (escape[2]|0x20) == 'd' && escape[3] >= '8' {
				return append([]byte(`\\`), bytes.ToLower(escape[1:])...)
			}
			return escape
		})}
		return kept.text(name)
	}
	if raw := o[name]; len(raw) > 0 && raw[0] != '"' && json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// FuzzMap holds Map to encoding/json wherever the rule is simple, and to what is true of every event.
func FuzzMap(f *testing.F) {
	file, err := os.ReadFile("testdata/messages.txt")
	require.NoError(f, err)
	for line := range strings.Lines(string(file)) {
		if strings.ContainsAny(line[:1], `{["`) {
			f.Add([]byte(line[:len(line)-1]), []byte(`{"groupId":"g","traits":{"email":"b@example.com"}}`))
		}
	}
	f.Fuzz(func(t *testing.T, raw, batch []byte) {
		message := Message{Raw: raw, Context: batch, ReceivedAt: receivedAt}
		var m Mapper
		var e Event
		given := bytes.Clone(raw)
		err := m.mapSegment(&message, &e)
		requireExplained(t, &ofSegment, &message, &e, err)
		require.Equal(t, given, raw)
		o := objectOf(raw)
		require.Equal(t, unmappableByReference(o, raw), err != nil)
		if err != nil {
			return
		}
		checkAgainstReference(t, o, raw, &e)
		checkInvariants(t, &e)

		var again Event
		var other Mapper
		require.NoError(t, other.mapSegment(&Message{Raw: []byte(realistic), Context: batch}, &again))
		require.NoError(t, other.mapSegment(&message, &again))
		require.Equal(t, e, again)
	})
}

// requireExplained holds an explanation to what was mapped.
func requireExplained(t *testing.T, x *explainer, message *Message, mapped *Event, mapErr error) {
	list, e, err := x.explain(message)
	require.Equal(t, mapErr, err)
	require.Equal(t, err == nil, list != nil)
	if err == nil {
		require.Equal(t, mapped, &e)
	}
}

func unmappableByReference(o object, raw []byte) bool {
	kind, properties := o.text("type"), o["properties"]
	isObject := len(properties) > 0 && properties[0] == '{'
	named := strings.TrimSpace(o.text("event")) != "" || isObject && strings.TrimSpace(objectOf(properties).text("gf_event_type")) != ""
	return o == nil || !utf8.Valid(raw) || kind != "track" && kind != "page" && kind != "screen" ||
		len(properties) > 0 && !isObject && string(properties) != "null" || kind == "track" && !named || depth(raw) > maxDepth
}

// depth counts the brackets that are open at once in valid JSON.
func depth(raw []byte) (deepest int) {
	open, inside := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case !inside && (c == '{' || c == '['):
			open++
			deepest = max(deepest, open)
		case !inside && (c == '}' || c == ']'):
			open--
		}
	}
	return deepest
}

func checkAgainstReference(t *testing.T, o object, raw []byte, e *Event) {
	own := []byte("{}")
	if properties := o["properties"]; properties != nil && string(properties) != "null" {
		own = properties
	}
	p := objectOf(own)
	source := o.text("event")
	if e.MessageType != Track {
		source = o.text("name")
	}
	if strings.TrimSpace(source) == "" {
		source = ""
	}
	require.Equal(t, source, string(e.SourceEvent))
	renamed := strings.TrimSpace(p.text("gf_event_type"))
	require.Equal(t, first(renamed, strings.TrimSpace(source), e.MessageType.String()), string(e.EventType))
	if _, kept := p["segment_event"]; renamed == "" || source == "" || kept || renamed == strings.TrimSpace(source) {
		require.Equal(t, string(own), string(e.Properties))
	} else {
		require.True(t, bytes.HasPrefix(e.Properties, own[:len(own)-1]))
		require.Equal(t, source, objectOf(e.Properties).text("segment_event"))
		require.Len(t, objectOf(e.Properties), len(p)+1)
	}

	require.Equal(t, first(o.id("userId"), o.id("anonymousId")), string(e.ExternalUserID))
	require.Equal(t, o.id("messageId"), string(e.MessageID))
	if id := o.id("messageId"); id != "" {
		require.Equal(t, "segment:"+id, string(e.InsertID))
	} else {
		require.Equal(t, fmt.Sprintf("segment:sha256:%x", sha256.Sum256(raw)), string(e.InsertID))
	}
	traits := objectOf(o["traits"])
	if own := strings.TrimSpace(objectOf(objectOf(o["context"])["traits"]).text("name")); own != "" {
		require.Equal(t, own, string(e.UserName))
	}
	if own := objectOf(o["context"]).id("groupId"); own != "" {
		require.Equal(t, own, string(e.ExternalOrganizationID))
	}
	require.Equal(t, first(
		strings.TrimSpace(traits.text("organization_name")), strings.TrimSpace(traits.text("company")), strings.TrimSpace(objectOf(traits["company"]).text("name")),
		strings.TrimSpace(p.text("organization_name")), strings.TrimSpace(p.text("company")), strings.TrimSpace(objectOf(p["company"]).text("name")),
	), string(e.OrganizationName))
	if conversation := p.id("gf_conversation_id"); conversation != "" {
		require.Equal(t, conversation, string(e.ExternalConversationID))
	} else {
		require.Nil(t, e.ExternalConversationID)
	}
}

func checkInvariants(t *testing.T, e *Event) {
	for _, text := range [][]byte{
		e.InsertID, e.MessageID, e.EventType, e.SourceEvent, e.ExternalUserID, e.UserEmail, e.UserName, e.ExternalOrganizationID,
		e.OrganizationName, e.ExternalConversationID, e.ValueText, e.Currency, e.Properties,
	} {
		require.True(t, utf8.Valid(text))
	}
	require.True(t, json.Valid(e.Properties))
	require.NotEmpty(t, e.EventType)
	require.Contains(t, []Influence{Negative, Neutral, Positive}, e.Influence)
	require.Equal(t, e.ValueType == Currency || e.ValueType == Numeric, e.HasValue)
	require.Equal(t, e.ValueType == NoValue, e.ValueText == nil)
	units := new(big.Int).Lsh(big.NewInt(e.Value.High), 64)
	units.Add(units, new(big.Int).SetUint64(e.Value.Low))
	require.Negative(t, units.CmpAbs(new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)))
	require.True(t, -1 <= e.Score && e.Score <= 1)
	require.Contains(t, []int{0, 3}, len(e.Currency))
	if e.EventAtSource == FromEdge {
		require.EqualValues(t, receivedAt/1000, e.EventAt)
	} else {
		require.True(t, minCredibleMs <= e.EventAt && e.EventAt <= receivedAt/1000+maxAheadMs)
	}
	if e.UserEmail != nil {
		require.True(t, scalar.LooksLikeAddress(e.UserEmail))
	}
}
