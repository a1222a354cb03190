package env_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

func TestClickHouse_EachTest_HasItsOwnDatabase(t *testing.T) {
	first, second := env.ClickHouse(t), env.ClickHouse(t)
	require.Equal(t, first.Pid(), second.Pid())
	require.NotEqual(t, first.Name, second.Name)

	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{first.Addr()}, Auth: clickhouse.Auth{Database: first.Name},
	})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Exec(context.Background(), "CREATE TABLE numbers (n UInt64) ENGINE = MergeTree ORDER BY n"))
	require.NoError(t, conn.Exec(context.Background(), "INSERT INTO numbers VALUES (1), (2)"))

	require.Equal(t, "2", first.Exec(t, "SELECT count() FROM numbers"))
	require.Equal(t, "0", second.Exec(t, "SELECT count() FROM system.tables WHERE database = currentDatabase()"))
}

func TestClickHouse_DatabaseIsDropped_AtTheEndOfItsTest(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) { name = env.ClickHouse(t).Name })
	outer := env.ClickHouse(t)
	require.Equal(t, "0", outer.Exec(t, "SELECT count() FROM system.databases WHERE name = '"+name+"'"))
	require.Equal(t, "Atomic", outer.Exec(t, "SELECT engine FROM system.databases WHERE name = currentDatabase()"))
}

func TestBroker_StartsEmpty(t *testing.T) {
	client, err := kgo.NewClient(kgo.SeedBrokers(env.Broker(t).Addr()))
	require.NoError(t, err)
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(context.Background())
	require.NoError(t, err)
	require.Empty(t, topics)
}

func TestRedis_StartsEmpty(t *testing.T) {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: env.Redis(t).Addr()})
	defer client.Close()
	require.NoError(t, client.Set(ctx, "key", "value", 0).Err())
	require.Equal(t, "value", client.Get(ctx, "key").Val())

	other := redis.NewClient(&redis.Options{Addr: env.Redis(t).Addr()})
	defer other.Close()
	require.ErrorIs(t, other.Get(ctx, "key").Err(), redis.Nil)
}

func TestProxy_CutAndHealed(t *testing.T) {
	broker := env.Broker(t)
	proxy := env.NewProxy(t, broker.Addr())
	client, err := kgo.NewClient(kgo.SeedBrokers(proxy.Addr()), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second))
	require.NoError(t, err)
	defer client.Close()
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, client) // goes to the address that the broker names
		return err
	}
	require.NoError(t, ping())
	proxy.Cut()
	require.Error(t, ping())
	proxy.Heal()
	require.Eventually(t, func() bool { return ping() == nil }, 10*time.Second, 10*time.Millisecond)
}
