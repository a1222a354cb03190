package loader

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
)

// shard moves the world to a cluster of two, which is asked through the second. There are the products p and p3, and
// the people of the workspaces w and w2; p2 is in the first.
func (w *world) shard(t testing.TB) (shards [2]env.Database) {
	t.Helper()
	shards = env.Shards(t)
	w.db = shards[1]
	c := &w.config.Warehouse
	c.ClickHouse, c.Database, c.Cluster = w.db.Addr(), w.db.Name, env.TwoShards
	_, err := warehouse.Migrate(t.Context(), *c)
	require.NoError(t, err)
	return shards
}

// inShards requires that the rows of each product are in its shard alone, and returns how many each shard has.
func inShards(t testing.TB, shards [2]env.Database, table string) (rows [2]string) {
	t.Helper()
	for i, db := range shards {
		local := db.Name + "_local." + table
		require.Equal(t, "0", db.Exec(t, fmt.Sprintf("SELECT count() FROM %s WHERE xxHash64(product_id) %% 2 != %d", local, i)))
		rows[i] = db.Exec(t, "SELECT count() FROM "+local)
	}
	return rows
}

// Blocks have products of both shards. The loader ends between insert and commit, and the next loader recreates the
// blocks: no shard has a row twice, merged or not.
func TestShards_UncommittedBlock_IsRecreated(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	shards := w.shard(t)
	for _, db := range shards {
		db.Exec(t, "SYSTEM STOP MERGES "+db.Name+"_local.events")
	}
	w.config.DedupWindow = 0 // it would query the table
	events, hidden := w.db.Name+"_local.events", w.db.Name+"_local.hidden"
	shards[0].Exec(t, "RENAME TABLE "+events+" TO "+hidden)
	w.produce(t, 0, 1000, 10)
	first := w.load(t)
	eventually(t, func() bool { return shards[1].Exec(t, "SELECT count() FROM "+events) != "0" }, "one shard has its rows")
	eventually(t, first.retries("insert"), "the insert into the other fails")
	fault := w.broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	shards[0].Exec(t, "RENAME TABLE "+hidden+" TO "+events)
	eventually(t, first.retries("commit"), "the commit fails")
	first.stop(t)
	require.Equal(t, int64(1000), w.lag(t))
	fault.Remove()
	w.config.BlockRows = 70
	second := w.load(t)
	w.caughtUp(t)
	require.Equal(t, float64(1000), second.value(t, "millrace_loader_rows_inserted_total", ""), "the control: the rows were sent twice")
	require.Equal(t, "1000", w.rows(t))
	w.outcomes(t, 1000)
	require.NotContains(t, inShards(t, shards, "events"), "0")
}

// Meanwhile a loader is started with a cluster of other shards, and ends.
func TestShards_Duplicates_AreFoundInTheirShard(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	shards := w.shard(t)
	w.deliver(t, "p", "m", noon, noon)
	w.deliver(t, "p2", "m", noon, noon)
	loader := w.load(t)
	w.caughtUp(t)
	loader.stop(t)

	w.config.Warehouse.Cluster = env.OneShard
	loader = w.load(t)
	<-loader.done
	require.True(t, warehouse.ShardsChanged(loader.err), "rows would be written where they are not looked for: %v", loader.err)
	w.config.Warehouse.Cluster = env.TwoShards
	loader = w.load(t)
	for _, product := range []string{"p", "p2", "p3"} {
		w.deliver(t, product, "m", noon.Add(time.Second), noon.Add(time.Minute))
	}
	w.caughtUp(t)
	require.Equal(t, "p\tm\t1\t2026-05-18 12:00:00.000\np2\tm\t1\t2026-05-18 12:00:00.000\np3\tm\t1\t2026-05-18 12:01:00.000", w.db.Exec(t, deliveries))
	require.Equal(t, 2.0, loader.value(t, "millrace_loader_duplicates_dropped_total", ""))
	require.Equal(t, [2]string{"1", "2"}, inShards(t, shards, "events"))
}

// Only that row becomes a dead letter. The other shard's rows are not sent under another token.
func TestShards_OneRefusesARow_OthersAreStoredOnce(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	shards := w.shard(t)
	for _, db := range shards {
		db.Exec(t, "ALTER TABLE "+db.Name+"_local.events ADD CONSTRAINT no_poison CHECK event_type != 'Poison'")
	}
	var messages []testMessage
	for i := range 40 {
		m := newEvent(fmt.Sprint(i), "", "", 0)
		m.product = []string{"p", "p2"}[i%2]
		messages = append(messages, m)
	}
	poison := event(`{"type":"track","event":"Poison","messageId":"poison"}`)
	w.config.BlockLinger = time.Second
	w.send(t, messages...)
	w.foreign(t, poison)
	w.load(t)
	w.caughtUp(t)
	w.outcomes(t, 40)
	require.Equal(t, "40", w.rows(t))
	require.Equal(t, [2]string{"20", "20"}, inShards(t, shards, "events"))
	eventually(t, func() bool {
		return w.db.Exec(t, "SELECT reason, JSONExtractString(message, 'event') FROM dead_letters") == "refused_by_clickhouse\tPoison"
	}, "the refused row is a dead letter")
	inShards(t, shards, "dead_letters")
}

// Claims are stored in the second shard, and change stored events in both.
func TestShards_LateClaim_ChangesEventsInAllShards(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 2)
	shards := w.shard(t)
	w.load(t)
	in := func(product string, m testMessage) testMessage {
		m.id, m.product = strings.TrimSpace(m.id+" "+product), product
		return m
	}
	for _, product := range []string{"p", "p2"} {
		w.send(t, in(product, newEvent("a", "u1", "", 0)), in(product, newEvent("b", "", "1@x.io", 0)))
	}
	w.awaitAttributed(t, map[string]string{"a p": "- -", "b p": "1@x.io -", "a p2": "- -", "b p2": "1@x.io -"})
	w.send(t, newIdentify("u1", "1@x.io", 0))
	w.awaitAttributed(t, map[string]string{"a p": "u1 -", "b p": "u1 -", "a p2": "u1 -", "b p2": "u1 -"})
	w.send(t, in("p2", newActivity("c1", "", "1@x.io", -time.Minute)))
	w.awaitAttributed(t, map[string]string{"a p": "u1 -", "b p": "u1 -", "a p2": "u1 2c1", "b p2": "u1 2c1"})
	require.Equal(t, [2]string{"1", "0"}, inShards(t, shards, "conversation_activity"))
	require.Equal(t, "u1", w.db.Exec(t, "SELECT external_user_id FROM users"))
}
