package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// migrateCluster brings every server of a cluster up to date: first the tables that hold a shard's rows, in a database
// of their own, then what asks all shards for them.
//
// Where each shard is one server, each is migrated by itself and knows which migrations it has had. Where it is
// replicas, the first server of all has the migrations run ON CLUSTER, and alone knows which.
func (c *Config) migrateCluster(ctx context.Context) (applied []string, err error) {
	shards, err := c.shards(ctx)
	if err != nil {
		return nil, err
	}
	err = eachServer(shards, func(number int, addr string) error {
		if err := c.checkLayout(ctx, addr, number, shards); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return c.at(addr).create(ctx, c.local())
	})
	if err != nil {
		return nil, err
	}
	if c.Replicated {
		if applied, err = c.migrateReplicas(ctx, shards[0].addrs[0]); err != nil {
			return applied, err
		}
	}
	err = eachServer(shards, func(number int, addr string) error {
		if !c.Replicated {
			names, err := c.at(addr).migrate(ctx)
			for _, name := range names {
				applied = append(applied, addr+": "+name)
			}
			if err != nil {
				return err
			}
		}
		if err := c.at(addr).create(ctx, c.Database); err != nil {
			return err
		}
		return c.at(addr).distribute(ctx, number, shards)
	})
	return applied, err
}

func eachServer(shards []shard, do func(number int, addr string) error) error {
	for i := range shards {
		for _, addr := range shards[i].addrs {
			if err := do(i+1, addr); err != nil {
				return err
			}
		}
	}
	return nil
}

// migrateReplicas makes sure that the server is the one that knows which migrations the cluster has had.
func (c *Config) migrateReplicas(ctx context.Context, addr string) ([]string, error) {
	first := c.at(addr)
	db, err := first.open("")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var here, knows string
	query := fmt.Sprintf(
		"SELECT hostName(), (SELECT any(hostName()) FROM clusterAllReplicas('%s', system.tables) WHERE database = '%s' AND name = 'goose_db_version')",
		c.Cluster,
		c.local(),
	)
	if err := db.QueryRowContext(ctx, query).Scan(&here, &knows); err != nil {
		return nil, fmt.Errorf("ask which server of cluster %s has been migrated: %w", c.Cluster, explain(err))
	}
	if knows != "" && knows != here {
		return nil, fmt.Errorf(
			"table %s.goose_db_version is on %s, and the cluster's first server is %s: move the table there",
			c.local(),
			knows,
			here,
		)
	}
	return first.migrate(ctx)
}

// distribute recreates, on one server, what asks all shards: a table in front of each that holds rows, and the same
// views over these.
func (c *Config) distribute(ctx context.Context, number int, shards []shard) error {
	db, err := c.open(c.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	statements, err := c.distributed(ctx, db, number, shards)
	if err != nil {
		return fmt.Errorf("read what is in database %s in ClickHouse at %s: %w", c.local(), c.ClickHouse, err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf(
				"make what asks all shards in database %s in ClickHouse at %s: %w",
				c.Database,
				c.ClickHouse,
				err,
			)
		}
	}
	return nil
}

func (c *Config) distributed(
	ctx context.Context,
	db *sql.DB,
	number int,
	shards []shard,
) (statements []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name, engine = 'View', create_table_query FROM system.tables
		WHERE database = ? AND engine != 'MaterializedView' AND name != 'goose_db_version' ORDER BY engine = 'View', name`, c.local())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, query string
		var view uint8
		if err := rows.Scan(&name, &view, &query); err != nil {
			return nil, err
		}
		if view != 0 {
			query = strings.Replace(query, "CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
			statements = append(statements, strings.ReplaceAll(query, c.local()+".", c.Database+"."))
			continue
		}
		statements = append(
			statements,
			fmt.Sprintf(
				"CREATE OR REPLACE TABLE `%[1]s`.`%[3]s` AS `%[2]s`.`%[3]s` ENGINE = Distributed('%[4]s', '%[2]s', '%[3]s', xxHash64(%[5]s))",
				c.Database,
				c.local(),
				name,
				c.Cluster,
				shardKeys[name],
			),
		)
	}
	layout := fmt.Sprintf(
		"CREATE OR REPLACE VIEW `%s`.%s AS SELECT %d AS shard, %s AS weights",
		c.Database,
		layoutView,
		number,
		weightsOf(shards),
	)
	return append(statements, layout), rows.Err()
}
