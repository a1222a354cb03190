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

// replay replays all that is in the log, of both topics, and waits until it is loaded.
func (w *world) replay(t testing.TB) stream.ReplayProgress {
	t.Helper()
	topics := w.client.Topics()
	spans, err := w.client.Spans(t.Context(), &stream.Reach{Topics: []string{topics.Ingest, topics.DeadLetters}})
	require.NoError(t, err)
	r, err := w.client.NewReplay(stream.ReplayConfig{}, spans)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Run(t.Context()))
	w.caughtUp(t)
	return r.Progress()
}

const allOutcomes = "SELECT * FROM outcomes ORDER BY product_id, insert_id, event_at"

// change makes rows as another mapping and then some re-attributions have left them.
func (w *world) change(t testing.TB, revisions int) {
	t.Helper()
	w.db.Exec(t, fmt.Sprintf(`INSERT INTO events SELECT * REPLACE ('Mapped Wrongly' AS event_type, 'neutral' AS influence, version + bitShiftLeft(toUInt64(%d), 51) AS version)
		FROM events FINAL`, revisions))
	require.Equal(t, "Mapped Wrongly", w.db.Exec(t, "SELECT DISTINCT event_type FROM outcomes"), "the control: a mere resend does not win over it")
}

func TestAReplayWinsOverEveryRevision(t *testing.T) {
	w := newWorld(t, 2)
	w.load(t)
	w.produce(t, 0, 2000, 5)
	w.caughtUp(t)
	right := w.db.Exec(t, allOutcomes)
	for round := range 3 {
		w.change(t, 1+3*round)
		require.Equal(t, int64(2000), w.replay(t).Verdicts[stream.Wanted])
		require.Equal(t, right, w.db.Exec(t, allOutcomes), "round %d", round)
	}
	w.replay(t)
	require.Equal(t, right, w.db.Exec(t, allOutcomes), "twice is as once")
}

// Of the deliveries of one event the first counts, in a replay as before: a resend with the same key must not win by
// being the last, and one with another key, which was dropped, must not come back.
func TestWhatWasDroppedStaysDroppedInAReplay(t *testing.T) {
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
			loader = w.load(t) // which has nothing in its memory but what it finds in the table
			w.replay(t)
			require.Equal(t, right, w.db.Exec(t, allOutcomes), name)
			w.change(t, 2)
			w.replay(t)
			require.Equal(t, right, w.db.Exec(t, allOutcomes), name)

			loader.stop(t)
			w.db.Exec(t, "TRUNCATE TABLE events")
			w.load(t)
			w.replay(t)
			require.Equal(t, right, w.db.Exec(t, allOutcomes), "%s: all of it is lost", name)
		})
	}
}

// What a replay brings is about whom it is by all that is known, and so stays what it was.
func TestAReplayOfPeopleAndConversations(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.load(t)
	say := func(kind, provider, value string) {
		r := event(value)
		r.Headers[0].Value, r.Headers[1].Value = []byte(kind), []byte(provider)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "workspace", Value: []byte("w")})
		w.foreign(t, r)
		w.caughtUp(t)
	}
	say("event", "segment", `{"type":"track","event":"E","messageId":"1","userId":"u","timestamp":"2026-05-18T12:05:00Z"}`)
	say("event", "segment", `{"type":"track","event":"E","messageId":"2","userId":"u2","timestamp":"2026-05-18T12:06:00Z","context":{"traits":{"email":"a@example.com"}}}`)
	say("identify", "api", `{"externalUserId":"u","email":"a@example.com","timestamp":"2026-05-18T11:00:00Z"}`)
	say("conversation", "api", `{"externalConversationId":"c","externalUserId":"u","timestamp":"2026-05-18T12:00:00Z"}`)
	eventually(t, func() bool {
		return w.db.Exec(t, "SELECT countIf(conversation_id IS NOT NULL) FROM outcomes WHERE message_id = '1'") == "1"
	}, "it is the user's conversation")
	eventually(t, func() bool { return loader.value(t, "millrace_loader_reattribution_lag_seconds", "") == 0 }, "all is worked in")
	state := func() string {
		return strings.Join([]string{w.db.Exec(t, allOutcomes), w.db.Exec(t, "SELECT * FROM users ORDER BY ALL"), w.db.Exec(t, "SELECT * FROM conversations ORDER BY ALL")}, "\n")
	}
	right := state()
	for range 2 {
		require.Equal(t, int64(4), w.replay(t).Verdicts[stream.Wanted])
		eventually(t, func() bool { return loader.value(t, "millrace_loader_reattribution_lag_seconds", "") == 0 }, "all is worked in")
		require.Equal(t, right, state())
	}
}

func TestDeadLettersOfAReplay(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.load(t)
	w.foreign(t, event(`{"type":"track"`), event(`{"type":"track","event":"E","messageId":"1"}`))
	w.caughtUp(t)
	for round := range 3 {
		require.Equal(t, int64(2), w.replay(t).Verdicts[stream.Wanted], "a message that cannot be mapped is replayed once, not as often as it has failed")
		w.caughtUp(t)
		require.Equal(t, float64(2+round), loader.value(t, "millrace_loader_dead_letters_total", "invalid_json"))
		w.outcomes(t, 1)
	}
}

// Old messages that come again say nothing of how fresh the table is.
func TestAReplayIsNoDelay(t *testing.T) {
	w := newWorld(t, 1)
	loader := w.load(t)
	w.produce(t, 0, 10, 1)
	w.caughtUp(t)
	eventually(t, func() bool { return loader.value(t, "millrace_loader_freshness_seconds", "") != 0 }, "it is measured")
	before := loader.value(t, "millrace_loader_freshness_seconds", "")
	w.replay(t)
	require.Equal(t, before, loader.value(t, "millrace_loader_freshness_seconds", ""))
}

// A row under another key, as a mapping has made it that read the time wrongly, is in the way until it is deleted.
func TestARowThatIsDeletedMakesRoomForAnother(t *testing.T) {
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
