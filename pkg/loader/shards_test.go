package loader

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/embedded/embeddedtest"
	"github.com/millrace/millrace/pkg/warehouse"
)

// newShardedWorld is newWorld on a cluster. Its products p and p3 are in the first shard, p2 in the second; "w" and its
// users in …
func newShardedWorld(t testing.TB, partitions int32) (*world, [2]embeddedtest.Database) {
	t.Helper()
	w := newWorld(t, partitions)
	shards := embeddedtest.Shards(t)
	w.db = shards[1] // it asks the other too
	w.config.Warehouse.ClickHouse, w.config.Warehouse.Database, w.config.Warehouse.Cluster = w.db.Addr(), w.db.Name, embeddedtest.TwoShards
	_, err := warehouse.Migrate(t.Context(), w.config.Warehouse)
	require.NoError(t, err)
	return w, shards
}

func TestShardsHoldEachEventOnce(t *testing.T) {
	w, shards := newShardedWorld(t, 2)
	w.load(t)
	w.produce(t, 0, 2000, 10)
	w.caughtUp(t)
	w.outcomes(t, 2000)
	for _, db := range shards {
		fmt.Println(db.Exec(t, "SELECT count(), groupUniqArray(product_id) FROM "+db.Name+"_local.events"))
		fmt.Println(db.Exec(t, "SELECT cityHash64(1), xxHash64(arrayJoin(['w', 'w2', 'p','p2','p3'])) % 2"))
	}
	_ = time.Now
}
