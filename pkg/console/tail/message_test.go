package tail

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/stream"
)

// The tail shows what a loader makes of a record, also of one that the loader does not know.
func TestExplain_MapsByKindAndProvider(t *testing.T) {
	const raw = `{"type":"track","event":"E","eventType":"E","externalUserId":"u","externalConversationId":"c"}`
	for _, row := range []struct {
		kind             stream.Kind
		provider, reason string
		isEvent          bool
	}{
		{stream.KindEvent, stream.ProviderSegment, "", true},
		{stream.KindEvent, stream.ProviderAPI, "", true},
		{stream.KindIdentify, stream.ProviderAPI, "", false},
		{stream.KindConversation, stream.ProviderAPI, "", false},
		{stream.KindEvent, "mixpanel", "unknown_kind", false},
		{stream.KindIdentify, stream.ProviderSegment, "unknown_kind", false},
		{"other", stream.ProviderAPI, "unknown_kind", false},
	} {
		m, fields := Explain(stream.Partition{}, &stream.Record{Kind: []byte(row.kind), Provider: []byte(row.provider), Value: []byte(raw)})
		require.Equal(t, row.reason, m.Reason, row)
		require.Equal(t, row.isEvent, m.IsEvent(), row)
		require.Equal(t, row.isEvent, len(fields) > 0, row)
	}
}
