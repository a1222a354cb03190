package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMapGolden maps every message of testdata/messages.txt. A case there is a line that says what it is
// about, the message, the context beside its batch behind a ~ if there is one, and behind a = what it
// means. What goes without saying is left out there: the event's source text where trimming changes
// nothing, properties that are the message's own bytes, and a time that is the edge's.
func TestMapGolden(t *testing.T) {
	const path = "testdata/messages.txt"
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	var m Mapper
	var got strings.Builder
	cases := 0
	var message Message
	flush := func() {
		if message.Raw != nil {
			got.WriteString("= " + describe(t, &m, &message) + "\n")
			cases++
		}
		message = Message{ReceivedAt: receivedAt}
	}
	for line := range strings.Lines(string(file)) {
		switch line[0] {
		case '\n':
			flush()
		case '{', '[', '"':
			message.Raw = []byte(strings.TrimSuffix(line, "\n"))
		case '~':
			message.Context = []byte(line[2 : len(line)-1])
		case '=':
			continue
		}
		got.WriteString(line)
	}
	flush()
	require.GreaterOrEqual(t, cases, 200)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got.String()), 0o644))
		return
	}
	want, have := strings.Split(string(file), "\n"), strings.Split(got.String(), "\n")
	for i := range min(len(want), len(have)) {
		require.Equal(t, want[i], have[i], "line %d", i+1)
	}
	require.Len(t, have, len(want))
}

// describe says in one line what a message means.
func describe(t *testing.T, m *Mapper, message *Message) string {
	var r Result
	if err := m.MapRecord([]byte(KindEvent), []byte(ProviderSegment), message, &r); err != nil {
		return "no event: " + Code(err)
	}
	e := &r.Event
	out := []string{fmt.Sprintf("%s %q", e.MessageType, e.EventType)}
	say := func(name, format string, args ...any) { out = append(out, name+" "+fmt.Sprintf(format, args...)) }
	text := func(name string, value []byte) {
		if value != nil {
			say(name, "%q", value)
		}
	}
	if !bytes.Equal(e.SourceEvent, e.EventType) {
		text("source", e.SourceEvent)
		if e.SourceEvent == nil {
			out = append(out, "no source")
		}
	}
	out = append(out, e.Influence.String())
	if e.EventAtSource != FromEdge {
		say("at", "%s by %s", time.UnixMilli(e.EventAt).UTC().Format("2006-01-02T15:04:05.000Z"), e.EventAtSource)
	} else {
		require.EqualValues(t, 1779105609876, e.EventAt)
	}
	require.True(t, bytes.HasPrefix(e.InsertID, []byte("segment:")))
	if e.MessageID == nil {
		say("id", "%.27s…", e.InsertID)
	} else {
		require.Equal(t, "segment:"+string(e.MessageID), string(e.InsertID))
		say("id", "%q", e.MessageID)
	}
	text("user", e.ExternalUserID)
	text("email", e.UserEmail)
	text("name", e.UserName)
	require.Equal(t, e.UserName == nil, e.UserNameSource == NoName)
	if e.UserNameSource == NameFromProperties {
		out[len(out)-1] += " of the properties"
	}
	text("organization", e.ExternalOrganizationID)
	text("organization name", e.OrganizationName)
	text("conversation", e.ExternalConversationID)
	if e.HasScore {
		say("score", "%s", strconv.FormatFloat(e.Score, 'g', -1, 64))
	}
	if e.ValueType != NoValue {
		value := ""
		if e.HasValue {
			value = e.Value.String() + " "
		}
		say("value", "%s %sas %q", e.ValueType, value, e.ValueText)
	}
	text("in", e.Currency)
	if own := ownProperties(message.Raw); own != string(e.Properties) {
		say("properties", "%s", e.Properties)
	}
	if r.IncredibleTime {
		out = append(out, "incredible time")
	}
	e.Malformed.Each(func(i int) { out = append(out, "malformed "+OverrideNames[i]) })
	return strings.Join(out, "; ")
}

func ownProperties(raw []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members["properties"] == nil || string(members["properties"]) == "null" {
		return "{}"
	}
	return string(members["properties"])
}
