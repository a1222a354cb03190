package loader

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The dead letters have the message and its Kafka coordinates. The other rows of the block are stored, and the next
// blocks.
func TestLoader_RefusedRows_BecomeDeadLetters(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	w.db.Exec(t, "ALTER TABLE events ADD CONSTRAINT no_poison CHECK event_type != 'Poison'")
	var records []*kgo.Record
	for i := range 300 {
		name := "Upgrade"
		if i == 0 || i == 150 || i == 151 {
			name = "Poison"
		}
		records = append(records, event(fmt.Sprintf(`{"type":"track","event":%q,"messageId":"%d"}`, name, i)))
	}
	w.foreign(t, records...)
	loader := w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 297)
	require.Equal(t, "297", w.rows(t))
	eventually(t, func() bool { return w.db.Exec(t, "SELECT count() FROM dead_letters") == "3" }, "the refused rows are dead letters")
	topic := w.client.Topics().Ingest
	require.Equal(t, "refused_by_clickhouse\tmessage cannot be stored: ClickHouse refuses it for a constraint\t"+topic+"/0/150\tPoison\n"+
		"refused_by_clickhouse\tmessage cannot be stored: ClickHouse refuses it for a constraint\t"+topic+"/0/151\tPoison",
		w.db.Exec(t, "SELECT reason, detail, origin, JSONExtractString(message, 'event') FROM dead_letters WHERE origin NOT LIKE '%/0/0' ORDER BY origin"))
	w.foreign(t, event(`{"type":"track","event":"Poison","messageId":"alone"}`))
	w.foreign(t, event(`{"type":"track","event":"Upgrade","messageId":"next"}`))
	w.caughtUp(t)
	w.outcomes(t, 298)
	require.Equal(t, 4.0, loader.value(t, "millrace_loader_dead_letters_total", "refused_by_clickhouse"))
}
