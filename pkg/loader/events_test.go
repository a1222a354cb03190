package loader

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
)

// The kinds and the providers are those of the records that the edge writes, and the reason is the mapping's.
func TestEventBuilder_Append_MapsByKindAndProvider(t *testing.T) {
	const raw = `{"type":"track","event":"E","eventType":"E","externalUserId":"u","externalConversationId":"c"}`
	for _, row := range []struct {
		kind               stream.Kind
		provider, reason   string
		rows, observations int
	}{
		{stream.KindEvent, stream.ProviderSegment, "", 1, 0},
		{stream.KindEvent, stream.ProviderAPI, "", 1, 0},
		{stream.KindIdentify, stream.ProviderAPI, "", 0, 1},
		{stream.KindConversation, stream.ProviderAPI, "", 0, 1},
		{stream.KindEvent, "mixpanel", "unknown_kind", 0, 0},
		{stream.KindIdentify, stream.ProviderSegment, "unknown_kind", 0, 0},
		{"other", stream.ProviderAPI, "unknown_kind", 0, 0},
	} {
		f := newEventBuilder(partition, func(*mapping.Result) {})
		reason, err := f.append(&stream.Record{Kind: []byte(row.kind), Provider: []byte(row.provider), Value: []byte(raw)})
		require.Equal(t, row.reason, reason, row)
		require.Equal(t, row.reason != "", err != nil, row)
		require.Equal(t, row.rows, f.borrow().Rows(), row)
		require.Len(t, f.observations, row.observations, row)
	}
}
