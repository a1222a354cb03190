package connection

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/pkg/token"
)

const anID = "aZ09aZ09aZ09aZ09"

func sampleConnection(t testing.TB) Connection {
	now := time.Date(2026, 5, 18, 12, 0, 0, 5e6, time.UTC)
	return Connection{
		ID: anID, WorkspaceID: "w", ProductID: "p", Name: "n", Note: "é", State: Enabled, Salts: 4, TokenHash: hashed(t, "token"),
		Generation: 1<<64 - 1, Revision: 7, CreatedAt: now, UpdatedAt: now,
	}
}

func TestRecordRoundTrip(t *testing.T) {
	c := sampleConnection(t)
	for _, secret := range []token.Secret{{}, hashed(t, "secret")} {
		c.SecretHash = secret
		b, err := encodeConnection(&c)
		require.NoError(t, err)
		got, err := decodeConnection(anID, b)
		require.NoError(t, err)
		require.Equal(t, c, *got)
	}
}

func TestRecordFormat(t *testing.T) {
	c := sampleConnection(t)
	c.TokenHash = token.NewSecret("HASH")
	b, err := encodeConnection(&c)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"aZ09aZ09aZ09aZ09","workspace_id":"w","product_id":"p","name":"n","note":"é","state":"enabled","salts":4,
		"token_hash":"HASH","generation":18446744073709551615,"revision":7,
		"created_at":"2026-05-18T12:00:00.005Z","updated_at":"2026-05-18T12:00:00.005Z"}`, string(b))
	b, err = json.Marshal(c)
	require.NoError(t, err)
	require.NotContains(t, string(b), "hash", "only the log gets hashes")
}

func TestDecodeConnection_IgnoresUnknownFields(t *testing.T) {
	c := sampleConnection(t)
	b, err := encodeConnection(&c)
	require.NoError(t, err)
	_, err = decodeConnection(anID, append([]byte(`{"new":[1],`), b[1:]...))
	require.NoError(t, err)
}

func TestRecord_WithoutSalts_UsesOnePartition(t *testing.T) {
	for salts, want := range map[int]int{0: 1, -3: 1, 1: 1, MaxSalts: MaxSalts, MaxSalts + 1: MaxSalts} {
		c := sampleConnection(t)
		c.Salts = salts
		b, err := encodeConnection(&c)
		require.NoError(t, err)
		got, err := decodeConnection(anID, b)
		require.NoError(t, err)
		require.Equal(t, want, got.Salts)
	}
	c := sampleConnection(t)
	b, err := encodeConnection(&c)
	require.NoError(t, err)
	got, err := decodeConnection(anID, []byte(strings.Replace(string(b), `"salts":4,`, "", 1)))
	require.NoError(t, err)
	require.Equal(t, 1, got.Salts)
}

func TestDecodeConnectionRefuses(t *testing.T) {
	c := sampleConnection(t)
	c.SecretHash = hashed(t, "secret")
	valid, err := encodeConnection(&c)
	require.NoError(t, err)
	replace := func(old, new string) string {
		require.Contains(t, string(valid), old)
		return strings.Replace(string(valid), old, new, 1)
	}
	for text, want := range map[string]string{
		"":                                    "not the JSON",
		"null":                                "not under its own id",
		"{}":                                  "not under its own id",
		"[]":                                  "not the JSON",
		`{"id":5}`:                            "not the JSON",
		replace(anID, "0"+anID[1:]):           "not under its own id",
		replace("enabled", "canary"):          "unknown state",
		replace(`"p"`, `""`):                  "no product",
		replace(`"w"`, `""`):                  "no product or no workspace",
		replace("18446744073709551615", "0"):  "no generation",
		replace("18446744073709551615", "-1"): "not the JSON",
		replace("ln=4", "ln=40"):              "token hash",
		replace(`"secret_hash":"$`, `"secret_hash":"canary$`): "secret hash",
	} {
		_, err := decodeConnection(anID, []byte(text))
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestStatus(t *testing.T) {
	used := activityBetween(1, 2)
	for _, c := range []struct {
		state    State
		activity Activity
		want     Status
	}{
		{Enabled, Activity{}, "waiting"},
		{Enabled, used, "active"},
		{Paused, Activity{}, "paused"},
		{Paused, used, "paused"},
		{Disconnected, Activity{}, "disconnected"},
		{Disconnected, used, "disconnected"},
	} {
		require.Equal(t, c.want, (&Connection{State: c.state}).Status(c.activity))
	}
}

func TestActivityRoundTrip(t *testing.T) {
	a := activityBetween(1779105600005, 1779105600006)
	b, err := encodeActivity(a)
	require.NoError(t, err)
	require.JSONEq(t, `{"first_event_at":"2026-05-18T12:00:00.005Z","last_event_at":"2026-05-18T12:00:00.006Z"}`, string(b))
	got, err := decodeActivity(b)
	require.NoError(t, err)
	require.Equal(t, a, got)
	for _, text := range []string{
		"", "null", "{}", "[]", `{"first_event_at":5}`, `{"first_event_at":"2026-05-18T12:00:00Z"}`, `{"last_event_at":"2026-05-18T12:00:00Z"}`,
		`{"first_event_at":"2026-05-18T12:00:01Z","last_event_at":"2026-05-18T12:00:00Z"}`,
	} {
		_, err := decodeActivity([]byte(text))
		require.Error(t, err, text)
	}
}

// However the edges' records come, what is known in the end is the same.
func TestActivityMergeDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Custom(func(t *rapid.T) Activity {
			if rapid.Bool().Draw(t, "none") {
				return Activity{}
			}
			first := rapid.Int64Range(1, 50).Draw(t, "first")
			return activityBetween(first, first+rapid.Int64Range(0, 50).Draw(t, "length"))
		})
		a, b, c := one.Draw(t, "a"), one.Draw(t, "b"), one.Draw(t, "c")
		require.Equal(t, a.merge(b), b.merge(a))
		require.Equal(t, a.merge(b).merge(c), a.merge(b.merge(c)))
		require.Equal(t, a, a.merge(a))
		require.Equal(t, a, a.merge(Activity{}))
		if all := a.merge(b); !a.IsZero() {
			require.False(t, all.FirstEventAt.After(a.FirstEventAt))
			require.False(t, all.LastEventAt.Before(a.LastEventAt))
		}
	})
}

func FuzzDecode(f *testing.F) {
	c := sampleConnection(f)
	b, err := encodeConnection(&c)
	require.NoError(f, err)
	for _, seed := range [][]byte{
		b, nil, []byte("{}"), []byte(`{"first_event_at":"2026-05-18T12:00:00Z","last_event_at":"2026-05-18T12:00:00Z"}`),
		[]byte(`{"edges":[{"edge":"B","at":1,"ignored":5},{"edge":"A","at":2,"paused":1}]}`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeConnection(anID, b); err == nil {
			again, err := encodeConnection(c)
			require.NoError(t, err)
			got, err := decodeConnection(anID, again)
			require.NoError(t, err)
			require.Equal(t, c.TokenHash.Reveal(), got.TokenHash.Reveal())
			require.Equal(t, c.Generation, got.Generation)
			require.Equal(t, c.ProductID, got.ProductID)
		}
		if a, err := decodeActivity(b); err == nil {
			require.False(t, a.LastEventAt.Before(a.FirstEventAt))
			require.LessOrEqual(t, len(a.edges), maxTallies)
			require.True(t, a.covers(a.merge(a)))
		}
	})
}
