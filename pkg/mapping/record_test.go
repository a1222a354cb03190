package mapping

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMapRecord_KindAndProviderDecide(t *testing.T) {
	const segmentMessage, apiMessage = `{"type":"track","event":"E"}`, `{"eventType":"E","externalUserId":"u","externalConversationId":"c"}`
	for _, row := range []struct {
		kind, provider, raw, code string
		want                      ResultType
	}{
		{"event", "segment", segmentMessage, "", IsEvent},
		{"event", "segment", apiMessage, "not_a_message", 0},
		{"event", "api", apiMessage, "", IsEvent},
		{"event", "api", segmentMessage, "missing_event_type", 0},
		{"identify", "api", apiMessage, "", IsIdentify},
		{"conversation", "api", apiMessage, "", IsActivity},
		{"event", "mixpanel", apiMessage, "unknown_kind", 0},
		{"event", "", segmentMessage, "unknown_kind", 0},
		{"Event", "segment", segmentMessage, "unknown_kind", 0},
		{"identify", "segment", apiMessage, "unknown_kind", 0},
		{"conversation", "mixpanel", apiMessage, "unknown_kind", 0},
		{"dead_letter", "api", apiMessage, "unknown_kind", 0},
		{"", "api", apiMessage, "unknown_kind", 0},
	} {
		var r Result
		err := new(Mapper).MapRecord([]byte(row.kind), []byte(row.provider), &Message{Raw: []byte(row.raw)}, &r)
		if row.code != "" {
			require.Error(t, err, row)
			require.Equal(t, row.code, Code(err), row)
			continue
		}
		require.NoError(t, err, row)
		require.Equal(t, row.want, r.Type, row)
	}
}

// A bug of the mapping must not stop the partition of the message that shows it.
func TestMapRecord_Panic_IsUnmappable(t *testing.T) {
	err := new(Mapper).MapRecord([]byte(KindEvent), []byte(ProviderAPI), nil, new(Result))
	require.ErrorContains(t, err, "BUG: the mapping panicked")
	require.Equal(t, CodeMapperBug, Code(err))
}

func TestMapRecord_AllocatesNothing(t *testing.T) {
	var m Mapper
	var r Result
	for _, row := range [][3]string{
		{KindEvent, ProviderSegment, realistic},
		{KindEvent, ProviderAPI, apiEvent},
		{KindIdentify, ProviderAPI, identifyCall},
		{KindConversation, ProviderAPI, activityCall},
	} {
		kind, provider, msg := []byte(row[0]), []byte(row[1]), &Message{Raw: []byte(row[2]), ReceivedAt: receivedAt}
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if m.MapRecord(kind, provider, msg, &r) != nil {
				t.Fatal("not mapped")
			}
		}), row)
	}
}

func TestCode_OtherError_Panics(t *testing.T) {
	require.Panics(t, func() { Code(errors.New("other")) })
}
