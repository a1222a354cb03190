package loader

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/stream"
)

// replay replays all records of both topics, and waits until they are loaded.
func (w *world) replay(t testing.TB) stream.ReplayProgress {
	t.Helper()
	topics := w.client.Topics()
	spans, err := w.client.OffsetRanges(t.Context(), &stream.ReplayRange{Topics: []string{topics.Ingest, topics.DeadLetters}})
	require.NoError(t, err)
	r, err := w.client.NewReplay(stream.ReplayConfig{}, spans)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Run(t.Context()))
	w.caughtUp(t)
	return r.Progress()
}

const allOutcomes = "SELECT * FROM outcomes ORDER BY product_id, insert_id, event_at"

// change makes rows as a different mapping and several re-attributions would.
func (w *world) change(t testing.TB, revisions int) {
	t.Helper()
	w.db.Exec(t, fmt.Sprintf(`INSERT INTO events SELECT * REPLACE ('Mapped Wrongly' AS event_type, 'neutral' AS influence, version + bitShiftLeft(toUInt64(%d), 51) AS version)
		FROM events FINAL`, revisions))
	require.Equal(t, "Mapped Wrongly", w.db.Exec(t, "SELECT DISTINCT event_type FROM outcomes"), "the control: a duplicate does not supersede it")
}

func TestReplay_SupersedesEveryRevision(t *testing.T) {
	w := newWorld(t, 2)
	w.load(t)
	w.produce(t, 0, 2000, 5)
	w.caughtUp(t)
	right := w.db.Exec(t, allOutcomes)
	for round := range 3 {
		w.change(t, 1+3*round)
		require.Equal(t, int64(2000), w.replay(t).Verdicts[stream.Selected])
		require.Equal(t, right, w.db.Exec(t, allOutcomes), "round %d", round)
	}
	w.replay(t)
	require.Equal(t, right, w.db.Exec(t, allOutcomes), "a second replay changes nothing")
}

// Of the deliveries of one event the first counts, in a replay as before: a duplicate with the same key must not win by
// being the last, and one with another key, which was dropped, must not come back.
func TestReplay_DroppedDuplicates_StayDropped(t *testing.T) {
	for name, old := range map[string]time.Duration{"recent": 0, "older than what is remembered": 72 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.config.BlockRows = 7 // so that deliveries are in blocks of their own
			loader := w.load(t)
			for i := range 30 {
				id, received := fmt.Sprint(i%10), noon.Add(-old+time.Duration(i)*time.Second)
				happened := noon.Add(-old)
				if i >= 20 {
					happened = received // another key: dropped
				}
				w.deliver(t, "p", id, received, happened)
			}
			w.caughtUp(t)
			if old > 0 {
				w.deliver(t, "p", "now", noon, noon)
			}
			w.caughtUp(t)
			require.Equal(t, 10.0, loader.value(t, "millrace_loader_duplicates_dropped_total", ""), "the control: %s", name)
			right := w.db.Exec(t, allOutcomes)
			for round := range 2 {
				w.replay(t)
				require.Equal(t, right, w.db.Exec(t, allOutcomes), "%s, round %d", name, round)
				require.Equal(t, float64(10*(round+2)), loader.value(t, "millrace_loader_duplicates_dropped_total", ""))
			}
			loader.stop(t)
			loader = w.load(t) // its index has only what is stored
			w.replay(t)
			require.Equal(t, right, w.db.Exec(t, allOutcomes), name)
			w.change(t, 2)
			w.replay(t)
			require.Equal(t, right, w.db.Exec(t, allOutcomes), name)

			loader.stop(t)
			w.db.Exec(t, "TRUNCATE TABLE events")
			w.load(t)
			w.replay(t)
			require.Equal(t, right, w.db.Exec(t, allOutcomes), "%s: the table was empty", name)
		})
	}
}

// A replay resolves with all present identities, so nothing changes.
func TestReplay_UsersAndConversations_StayTheSame(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.load(t)
	send := func(kind, provider, value string) {
		r := event(value)
		r.Headers[0].Value, r.Headers[1].Value = []byte(kind), []byte(provider)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "workspace", Value: []byte("w")})
		w.foreign(t, r)
		w.caughtUp(t)
	}
	send("event", "segment", `{"type":"track","event":"E","messageId":"1","userId":"u","timestamp":"2026-05-18T12:05:00Z"}`)
	send("event", "segment", `{"type":"track","event":"E","messageId":"2","userId":"u2","timestamp":"2026-05-18T12:06:00Z","context":{"traits":{"email":"a@example.com"}}}`)
	send("identify", "api", `{"externalUserId":"u","email":"a@example.com","timestamp":"2026-05-18T11:00:00Z"}`)
	send("conversation", "api", `{"externalConversationId":"c","externalUserId":"u","timestamp":"2026-05-18T12:00:00Z"}`)
	eventually(t, func() bool {
		return w.db.Exec(t, "SELECT countIf(conversation_id IS NOT NULL) FROM outcomes WHERE message_id = '1'") == "1"
	}, "the event has the user's conversation")
	eventually(t, func() bool { return loader.value(t, "millrace_loader_reattribution_lag_seconds", "") == 0 }, "all identity changes are applied")
	state := func() string {
		return strings.Join([]string{w.db.Exec(t, allOutcomes), w.db.Exec(t, "SELECT * FROM users ORDER BY ALL"), w.db.Exec(t, "SELECT * FROM conversations ORDER BY ALL")}, "\n")
	}
	right := state()
	for range 2 {
		require.Equal(t, int64(4), w.replay(t).Verdicts[stream.Selected])
		eventually(t, func() bool { return loader.value(t, "millrace_loader_reattribution_lag_seconds", "") == 0 }, "all identity changes are applied")
		require.Equal(t, right, state())
	}
}

func TestReplay_UnmappableMessage_IsReplayedOnce(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.load(t)
	w.foreign(t, event(`{"type":"track"`), event(`{"type":"track","event":"E","messageId":"1"}`))
	w.caughtUp(t)
	for round := range 3 {
		require.Equal(t, int64(2), w.replay(t).Verdicts[stream.Selected], "not as often as it has failed")
		w.caughtUp(t)
		require.Equal(t, float64(2+round), loader.value(t, "millrace_loader_dead_letters_total", "invalid_json"))
		w.outcomes(t, 1)
	}
}

func TestReplay_DoesNotCountForFreshness(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.load(t)
	w.produce(t, 0, 10, 1)
	w.caughtUp(t)
	eventually(t, func() bool { return loader.value(t, "millrace_loader_freshness_seconds", "") != 0 }, "freshness is measured")
	before := loader.value(t, "millrace_loader_freshness_seconds", "")
	w.replay(t)
	require.Equal(t, before, loader.value(t, "millrace_loader_freshness_seconds", ""))
}

// A mapping that read the time wrongly made a row with another key. The replayed event counts as a duplicate until that
// row is deleted.
func TestReplay_RowWithWrongKey_HasToBeDeleted(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	loader := w.load(t)
	w.deliver(t, "p", "id", noon, noon)
	w.caughtUp(t)
	loader.stop(t)
	right := w.db.Exec(t, allOutcomes)
	w.db.Exec(t, "INSERT INTO events SELECT * REPLACE (event_at + 60 AS event_at, event_key_at + 60 AS event_key_at) FROM events")
	w.db.Exec(t, "DELETE FROM events WHERE event_at = '2026-05-18 12:00:00'")
	w.load(t)
	w.replay(t)
	require.Equal(t, "2026-05-18 12:01:00.000", w.db.Exec(t, "SELECT event_at FROM outcomes"))
	w.db.Exec(t, "DELETE FROM events WHERE product_id = 'p'")
	w.replay(t)
	require.Equal(t, right, w.db.Exec(t, allOutcomes))
}
