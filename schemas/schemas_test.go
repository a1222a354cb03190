package schemas

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMigrations_Replicated_HaveClusterAndReplicatedEngines(t *testing.T) {
	files, err := Migrations(For{Cluster: "analytics"})
	require.NoError(t, err)
	text, err := fs.ReadFile(files, "00001_events.sql")
	require.NoError(t, err)
	require.Contains(t, string(text), "CREATE TABLE events ON CLUSTER 'analytics'")
	require.Contains(t, string(text), "ENGINE = ReplicatedReplacingMergeTree")
}
