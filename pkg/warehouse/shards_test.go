package warehouse

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/embedded/embeddedtest"
)

// sharded is a database of the test's own on two servers, with all tables in it.
func sharded(t testing.TB, cluster string) ([2]embeddedtest.Database, Config) {
	t.Helper()
	shards := embeddedtest.Shards(t)
	config := configFor(shards[0])
	config.Cluster = cluster
	_, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	return shards, config
}

func TestShardsAreMigratedOnce(t *testing.T) {
	shards, config := sharded(t, embeddedtest.TwoShards)
	applied, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, applied)
	for _, db := range shards {
		fmt.Println(db.Exec(t, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() FORMAT TSVRaw"))
	}
}
