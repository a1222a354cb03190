package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Segment's own library, unmodified, pointed at the URL.
func TestSegmentClientLibrary_EventIsStored(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/segment-client")))
	in := func(name string, args ...string) {
		t.Helper()
		command := exec.Command(name, args...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	in("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	u := startUp(t, t.TempDir())
	in("node", "send.mjs", u.SegmentURL)
	u.await("12\t186\tEUR", "SELECT count(), sum(value), any(currency) FROM outcomes WHERE message_type = 'track' AND influence = 'positive' AND event_at_source = 'timestamp'")
	u.await("Home\tu1", "SELECT event_type, external_user_id FROM outcomes WHERE message_type = 'page'")
	require.NoError(t, u.stop())
}
