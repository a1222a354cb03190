package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shown is what the connections commands print as JSON.
type shown struct {
	ConnectionID string  `json:"connection_id"`
	ProductID    string  `json:"product_id"`
	WorkspaceID  string  `json:"workspace_id"`
	Status       string  `json:"status"`
	Salts        int     `json:"salts"`
	HasSecret    bool    `json:"has_secret"`
	CreatedAt    string  `json:"created_at"`
	LastEventAt  *string `json:"last_event_at"`
	URL          string  `json:"url"`
	Token        string  `json:"token"`
	Totals       struct {
		Accepted uint64 `json:"accepted"`
	} `json:"totals"`
}

func (u *up) connections(args ...string) shown {
	u.t.Helper()
	out, errs, err := run(u.t, nil, "millrace", append([]string{"connections", "--data", u.data, "--output", "json"}, args...)...)
	require.NoError(u.t, err, errs)
	var s shown
	require.NoError(u.t, json.Unmarshal([]byte(out), &s), out)
	return s
}

func TestConnections_CreatePauseRotateDelete(t *testing.T) {
	t.Parallel()
	u := startUp(t, t.TempDir())
	answers := func(url string, want int, headers ...string) {
		t.Helper()
		status, _ := post(t, url, sample, headers...)
		require.Equal(t, want, status)
	}
	made := u.connections("create", "--product", "p1", "--workspace", "w1", "--name", "Shop")
	id, url := made.ConnectionID, made.URL
	require.True(t, strings.HasSuffix(url, "/v1/segment/"+made.Token))
	require.Equal(t, "waiting", u.connections("show", id).Status)
	require.Equal(t, 1, u.connections("show", id).Salts)
	require.Equal(t, 4, u.connections("salts", id, "4").Salts)
	answers(url, 200)
	require.Eventually(t, func() bool { return u.connections("show", id).Status == "active" }, patience, poll)
	require.NotNil(t, u.connections("show", id).LastEventAt)
	require.Positive(t, u.connections("show", id).Totals.Accepted)

	require.Equal(t, "paused", u.connections("pause", id).Status)
	answers(url, 204)
	require.Equal(t, "active", u.connections("resume", id).Status)
	answers(url, 200)
	require.Equal(t, "disconnected", u.connections("disconnect", id).Status)
	answers(url, 204)
	u.connections("resume", id)

	require.True(t, u.connections("secret", "set", id, "correct horse").HasSecret)
	answers(url, 401)
	answers(url, 401, "x-greenflash-secret", "wrong horse")
	answers(url, 200, "x-greenflash-secret", "correct horse")
	require.False(t, u.connections("secret", "clear", id).HasSecret)
	answers(url, 200)

	rotated := u.connections("rotate", id)
	require.Equal(t, id, rotated.ConnectionID)
	answers(url, 401)
	answers(rotated.URL, 200)

	require.Equal(t, "deleted", u.connections("delete", id).Status)
	answers(rotated.URL, 401)
	require.NotContains(t, u.output.String(), made.Token)
	require.NotContains(t, u.output.String(), rotated.Token)
	require.NoError(t, u.stop())
}

func TestConnections_Errors_NameTheRemedy(t *testing.T) {
	u := startUp(t, t.TempDir())
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("ab", 32)+"\n"), 0o600))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"check --brokers", []string{"list", "--brokers", "127.0.0.1:1", "--token-key-file", key}},
		{"both set: leave one of them out", []string{"list", "--brokers", u.Kafka, "--token-key-file", key, "--token-key", strings.Repeat("ab", 32)}},
		{"millrace connections list", []string{"pause", "nobody"}},
		{"at least 8 characters", []string{"create", "--product", "p", "--secret", "short"}},
		{"at least 8 characters", []string{"secret", "set", u.ConnectionID, "short"}},
		{"--product", []string{"create"}},
		{"millrace up", []string{"list", "--data", t.TempDir()}},
		{"check --brokers", []string{"list", "--brokers", "127.0.0.1:1", "--token-key", strings.Repeat("ab", 32)}},
		{"MILLRACE_TOKEN_KEY", []string{"list", "--brokers", u.Kafka}},
		{"must not be empty", []string{"create", "--product", ""}},
		{"number of salts must be from 1", []string{"create", "--product", "p", "--salts", "300"}},
		{"number of salts must be from 1", []string{"salts", u.ConnectionID, "1000"}},
	} {
		begin := time.Now()
		_, errs, err := run(t, nil, "millrace", append([]string{"connections", "--data", u.data}, c.args...)...)
		require.Error(t, err, c.args)
		require.Contains(t, errs, c.want)
		require.Less(t, time.Since(begin), time.Minute)
	}
	require.NoError(t, u.stop())
}
