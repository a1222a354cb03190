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

// shardKeys is the sharding key of each table. All claims of a workspace are in one shard, because a user follows from
// claims by external id and by address together.
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

// shard is a shard of a cluster.
type shard struct {
	addrs  []string // of its replicas
	weight int      // its share of the keys
}

// shards asks ClickHouse for the shards of the cluster. Without a cluster, the server is the only shard.
func (c *Config) shards(ctx context.Context) ([]shard, error) {
	if c.Cluster == "" {
		return []shard{{[]string{c.ClickHouse}, 1}}, nil
	}
	db, err := c.open("")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(
		ctx,
		"SELECT toInt64(shard_num), toInt64(shard_weight), host_name, port FROM system.clusters WHERE cluster = ? ORDER BY shard_num, replica_num",
		c.Cluster,
	)
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
	return shards, c.checkShards(shards)
}

// checkShards returns an error if the cluster cannot be used.
func (c *Config) checkShards(shards []shard) error {
	if len(shards) == 0 {
		return fmt.Errorf(
			"ClickHouse at %s knows no cluster %s: name one of those in system.clusters with --clickhouse-cluster",
			c.ClickHouse,
			c.Cluster,
		)
	}
	if len(slotsOf(shards)) == 0 {
		return fmt.Errorf("all shards of cluster %s have weight 0", c.Cluster)
	}
	for i := range shards {
		if n := len(shards[i].addrs); n > 1 && !c.Replicated {
			return fmt.Errorf("shard %d of cluster %s has %d replicas: set --clickhouse-replicated", i+1, c.Cluster, n)
		}
	}
	return nil
}

// slotsOf returns the slots of the sharding function, as the engine Distributed has them: each shard as often as its
// weight.
func slotsOf(shards []shard) (slots []int) {
	for i := range shards {
		for range shards[i].weight {
			slots = append(slots, i)
		}
	}
	return slots
}

// shardOf returns the shard of a key: slot xxHash64(key) % number of slots, as in ClickHouse.
func shardOf(slots []int, key []byte) int { return slots[xxhash.Sum64(key)%uint64(len(slots))] }

// layoutView holds on each server the number of its shard and the weights of all shards. It is created with the tables
// and never changed. With other shards, keys would be looked up in shards that do not have their rows.
const layoutView = "cluster_layout"

// errShardsChanged means that the cluster is not the one that rows were distributed over.
var errShardsChanged = errors.New("the shards of the cluster have changed since rows were distributed over them")

// weightsOf returns the weights of shards as the view shows them.
func weightsOf(shards []shard) string {
	weights := make([]string, len(shards))
	for i := range shards {
		weights[i] = strconv.Itoa(shards[i].weight)
	}
	return "[" + strings.Join(weights, ",") + "]"
}

// checkLayout compares a server's layout view with the cluster. It returns sql.ErrNoRows if the server has not been
// migrated, and errShardsChanged if the layouts differ.
func (c *Config) checkLayout(ctx context.Context, addr string, number int, shards []shard) error {
	db, err := c.at(addr).open("")
	if err != nil {
		return err
	}
	defer db.Close()
	var is int64
	var weights string
	var made uint64
	if err := db.QueryRowContext(ctx, "SELECT count() FROM system.tables WHERE database = ? AND name = ?", c.Database, layoutView).
		Scan(&made); err != nil {
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
		return fmt.Errorf(
			"%w: the rows at %s are of shard %d with weights %s, and in cluster %s it is shard %d with weights %s",
			errShardsChanged,
			addr,
			is,
			weights,
			c.Cluster,
			number,
			want,
		)
	}
	return nil
}
