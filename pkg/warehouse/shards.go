package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// shardKeys says by which column a table's rows are spread over the shards. All that is said of a workspace's people is in
// one shard, for who a user is follows from claims by external id and by address together.
var shardKeys = map[string]string{
	"events":                "product_id",
	"dead_letters":          "product_id",
	"conversation_activity": "product_id",
	"user_claims":           "workspace_id",
	"user_claims_by_email":  "workspace_id",
	"organization_claims":   "workspace_id",
	"products":              "workspace_id",
	"attribution_progress":  "loader_group",
}

// shard is one of a cluster's.
type shard struct {
	addrs  []string // of its replicas
	weight int      // how much of all it takes
}

// shards asks ClickHouse for those of the cluster. Without one, ClickHouse is the only one.
func (c *Config) shards(ctx context.Context) ([]shard, error) {
	if c.Cluster == "" {
		return []shard{{[]string{c.ClickHouse}, 1}}, nil
	}
	db, err := c.open("")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT toInt64(shard_num), toInt64(shard_weight), host_name, port FROM system.clusters WHERE cluster = ? ORDER BY shard_num, replica_num", c.Cluster)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse at %s for cluster %s: %w", c.ClickHouse, c.Cluster, explain(err))
	}
	defer rows.Close()
	var shards []shard
	for rows.Next() {
		var number, weight int64
		var host string
		var port uint16
		if err := rows.Scan(&number, &weight, &host, &port); err != nil {
			return nil, fmt.Errorf("read cluster %s: %w", c.Cluster, err)
		}
		if int(number) > len(shards) {
			shards = append(shards, shard{weight: int(weight)})
		}
		last := &shards[len(shards)-1]
		last.addrs = append(last.addrs, net.JoinHostPort(host, strconv.Itoa(int(port))))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read cluster %s: %w", c.Cluster, err)
	}
	return shards, c.judge(shards)
}

func (c *Config) judge(shards []shard) error {
	if len(shards) == 0 {
		return fmt.Errorf("ClickHouse at %s knows no cluster %s: name one of those in system.clusters with --clickhouse-cluster", c.ClickHouse, c.Cluster)
	}
	if len(slotsOf(shards)) == 0 {
		return fmt.Errorf("no shard of cluster %s takes anything: its weights are all 0", c.Cluster)
	}
	for i := range shards {
		if n := len(shards[i].addrs); n > 1 && !c.Replicated {
			return fmt.Errorf("shard %d of cluster %s has %d replicas: say --clickhouse-replicated", i+1, c.Cluster, n)
		}
	}
	return nil
}

// slotsOf are the shards that keys are spread over, each as often as it weighs. The engine Distributed has the same ones.
func slotsOf(shards []shard) (slots []int) {
	for i := range shards {
		for range shards[i].weight {
			slots = append(slots, i)
		}
	}
	return slots
}

// shardOf is the shard of a key. In ClickHouse it is xxHash64(key) % the number of slots.
func shardOf(slots []int, key []byte) int { return slots[xxhash.Sum64(key)%uint64(len(slots))] }

// The view that says on each server which shard it is, and how much each takes. It is made with the tables and never
// changed: with other shards, half of the keys would be looked for where their rows are not.
const layoutView = "cluster_layout"

// errShardsChanged: the cluster is not the one that the rows were spread over.
var errShardsChanged = errors.New("the cluster has other shards than the rows were spread over")

// weightsOf is how much each shard takes, as the view has it.
func weightsOf(shards []shard) string {
	weights := make([]string, len(shards))
	for i := range shards {
		weights[i] = strconv.Itoa(shards[i].weight)
	}
	return "[" + strings.Join(weights, ",") + "]"
}

// checkLayout looks on a server of a shard whether it is the one it was. Where nothing has been migrated it is sql.ErrNoRows.
func (c *Config) checkLayout(ctx context.Context, addr string, number int, shards []shard) error {
	db, err := c.at(addr).open("")
	if err != nil {
		return err
	}
	defer db.Close()
	var is int64
	var weights string
	var made uint64
	if err := db.QueryRowContext(ctx, "SELECT count() FROM system.tables WHERE database = ? AND name = ?", c.Database, layoutView).Scan(&made); err != nil {
		return fmt.Errorf("ask ClickHouse at %s which shard it is: %w", addr, explain(err))
	}
	if made == 0 {
		return fmt.Errorf("database %s at %s has not been migrated for a cluster: %w", c.Database, addr, sql.ErrNoRows)
	}
	query := fmt.Sprintf("SELECT toInt64(shard), toString(weights) FROM `%s`.%s", c.Database, layoutView)
	if err := db.QueryRowContext(ctx, query).Scan(&is, &weights); err != nil {
		return fmt.Errorf("ask ClickHouse at %s which shard it is: %w", addr, explain(err))
	}
	if want := weightsOf(shards); int(is) != number || weights != want {
		return fmt.Errorf("%w: at %s they are shard %d of those with weights %s, and in cluster %s it is shard %d of %s", errShardsChanged, addr, is, weights, c.Cluster, number, want)
	}
	return nil
}
