package env

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/embedded"
)

// The clusters that Shards knows: of the first server alone, of both, and of both where the second takes twice as much.
const (
	OneShard  = "one"
	TwoShards = "two"
	Uneven    = "uneven"
)

// shards are the test binary's two servers, started by the first test that needs them.
var shards struct {
	sync.Mutex
	engines   [2]*embedded.ClickHouse
	dir       string
	databases atomic.Int64
}

// Shards returns a database in each of two servers that are one cluster, for one test: both have the name that is to be
// given to what asks all shards, and neither is there yet.
func Shards(t testing.TB) [2]Database {
	t.Helper()
	require.NoError(t, startShards())
	name := fmt.Sprintf("sharded_%d", shards.databases.Add(1))
	var databases [2]Database
	for i, engine := range shards.engines {
		databases[i] = Database{ClickHouse: engine, Name: name}
	}
	t.Cleanup(func() {
		for _, db := range databases {
			for _, name := range []string{db.Name, db.Name + "_local"} {
				Database{ClickHouse: db.ClickHouse, Name: "default"}.Exec(t, "DROP DATABASE IF EXISTS "+name+" SYNC")
			}
		}
	})
	return databases
}

func startShards() (err error) {
	shards.Lock()
	defer shards.Unlock()
	if shards.dir != "" {
		return nil
	}
	engine, err := findOrFetch()
	if err != nil {
		return err
	}
	if shards.dir, err = os.MkdirTemp("", "millrace-test-*"); err != nil {
		return err
	}
	var addrs [2]string // each has to know the other's before it starts
	for i := range addrs {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addrs[i] = listener.Addr().String()
		if err := listener.Close(); err != nil {
			return err
		}
	}
	var starting errgroup.Group
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for i := range addrs {
		starting.Go(func() (err error) {
			shards.engines[i], err = embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{
				Dir:     filepath.Join(shards.dir, fmt.Sprint(i)),
				TCPAddr: addrs[i], Engine: engine, ExtraConfig: remoteServers(addrs),
			})
			return err
		})
	}
	return starting.Wait()
}

func remoteServers(addrs [2]string) string {
	var b strings.Builder
	shard := func(i, weight int) string {
		_, port, _ := net.SplitHostPort(addrs[i])
		return fmt.Sprintf(
			"<shard><weight>%d</weight><replica><host>127.0.0.1</host><port>%s</port></replica></shard>",
			weight,
			port,
		)
	}
	fmt.Fprintf(&b, "<remote_servers><%s>%s</%[1]s>", OneShard, shard(0, 1))
	fmt.Fprintf(&b, "<%s>%s%s</%[1]s>", TwoShards, shard(0, 1), shard(1, 1))
	fmt.Fprintf(&b, "<%s>%s%s</%[1]s></remote_servers>", Uneven, shard(0, 1), shard(1, 2))
	return b.String()
}

func stopShards() error {
	shards.Lock()
	defer shards.Unlock()
	if shards.dir == "" {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // they are killed: what is in them goes as well
	var failed []error
	for _, engine := range shards.engines {
		if engine != nil {
			failed = append(failed, engine.Close(ctx))
		}
	}
	return errors.Join(append(failed, os.RemoveAll(shards.dir))...)
}
