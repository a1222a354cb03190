package payload_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/segment"
)

func TestParse_SameID_IsDuplicate(t *testing.T) {
	var messages []string
	for _, id := range []string{`"a"`, `"b"`, `"a"`, `7`, `"7"`, `7`, `""`, `""`, `" "`, `" "`, `null`, `null`, `{}`, `{}`, `true`, `true`} {
		messages = append(messages, `{"type":"track","event":"E","messageId":`+id+`}`)
	}
	bad := `{"type":"track","messageId":"c"}`
	messages = append(messages, bad, bad, `{"type":"track","event":"E","messageId":"c"}`, `{"type":"track","event":"E","messageId":"x","messageId":"a"}`)
	p := payload.New(&segment.Format)
	for range 2 { // nothing is remembered from one payload to the next
		require.NoError(t, p.Parse([]byte("["+strings.Join(messages, ",")+"]"), payload.DefaultLimits))
		var duplicates []int
		for i, m := range p.Messages {
			if m.Duplicate {
				duplicates = append(duplicates, i)
			}
		}
		require.Equal(t, []int{2, 5, 19}, duplicates, "only strings and numbers are ids; a broken message has none")
		require.Equal(t, 18, p.Accepted)
	}
}

func TestParse_ManyMessages_MarksDuplicates(t *testing.T) {
	var messages []string
	for i := range 1000 {
		messages = append(messages, fmt.Sprintf(`{"type":"track","event":"E","messageId":"%d"}`, i%600))
	}
	p := payload.New(&segment.Format)
	require.NoError(t, p.Parse([]byte("["+strings.Join(messages, ",")+"]"), payload.DefaultLimits))
	for i, m := range p.Messages {
		require.Equal(t, i >= 600, m.Duplicate)
	}
}

func TestParse_IDOfTheFormat_MarksDuplicates(t *testing.T) {
	p := payload.New(&api.EventFormat)
	require.NoError(t, p.Parse([]byte(`[{"eventType":"E","insertId":"a"},{"eventType":"E","insertId":"a","eventAt":0},{"eventType":"E","messageId":"a"},{"eventType":"E","messageId":"a"}]`), payload.DefaultLimits))
	for i, m := range p.Messages {
		require.Equal(t, i == 1, m.Duplicate)
	}
}
