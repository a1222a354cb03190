package warehouse

import (
	"context"
	"database/sql"
	"errors"

	"github.com/millrace/millrace/pkg/doctor"
)

// diagnoseCluster checks every server of a cluster, and that the shards are those that rows were distributed over.
func diagnoseCluster(ctx context.Context, config Config, r *doctor.Report) {
	check := "cluster " + config.Cluster
	shards, err := config.shards(ctx)
	if err != nil {
		r.Fail(check, remedy(err), "%v", err)
		return
	}
	first := shards[0].addrs[0]
	_ = eachServer(shards, func(number int, addr string) error { // never an error: all servers are checked
		before := len(*r)
		diagnoseServer(ctx, *config.at(addr), r, !config.Replicated || addr == first)
		diagnoseShard(ctx, config, r, number, addr, shards)
		for i := before; i < len(*r); i++ {
			(*r)[i].Check += " of " + addr
		}
		return nil
	})
}

// diagnoseShard checks that a server is the shard that its layout says.
func diagnoseShard(ctx context.Context, config Config, r *doctor.Report, number int, addr string, shards []shard) {
	check := "cluster " + config.Cluster
	switch err := config.checkLayout(ctx, addr, number, shards); {
	case errors.Is(err, sql.ErrNoRows):
		r.Fail(check, "run millrace migrate with --clickhouse-cluster "+config.Cluster, "%v", err)
		return
	case ShardsChanged(err):
		r.Fail(check, "restore the shards of the cluster, or move the rows: see docs/production.md", "%v", err)
		return
	case err != nil:
		r.Fail(check, remedy(err), "%v", err)
		return
	}
	if !config.Replicated {
		r.OK(check, "is shard %d of %d", number, len(shards))
		return
	}
	db, err := config.at(addr).open("")
	if err != nil {
		r.Fail(check, "", "%v", err)
		return
	}
	defer db.Close()
	var macros int64
	if err := db.QueryRowContext(ctx, "SELECT toInt64(count()) FROM system.macros WHERE macro IN ('shard', 'replica')").Scan(&macros); err != nil || macros < 2 {
		r.Fail(check, "define the macros {shard} and {replica} in its configuration", "cannot have replicated tables: %d of the two macros are defined (%v)", macros, err)
		return
	}
	r.OK(check, "is a replica of shard %d of %d", number, len(shards))
}
