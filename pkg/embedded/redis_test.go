package embedded

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func playRedis(dir string) {
	r := must(StartRedis(context.Background(), RedisConfig{Dir: dir}))
	fmt.Println(r.process.Pid())
	select {}
}

func TestRedisAnswersUntilItIsClosed(t *testing.T) {
	r, err := StartRedis(testContext(t), RedisConfig{Dir: t.TempDir(), Logger: testLogger(t)})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	client := redis.NewClient(&redis.Options{Addr: r.Addr()})
	defer client.Close()
	require.NoError(t, client.Set(testContext(t), "key", "value", 0).Err())
	require.Equal(t, "value", client.Get(testContext(t), "key").Val())

	pid := r.process.Pid()
	r.Close()
	r.Close()
	requireDead(t, pid)
}

func TestNoRedisOutlivesItsParent(t *testing.T) {
	parent := play(t, "redis", t.TempDir())
	pid := number(t, parent.line(t))
	require.True(t, alive(pid))
	parent.kill()
	requireDead(t, pid)
}

func TestAMissingRedisIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := StartRedis(testContext(t), RedisConfig{Dir: t.TempDir()})
	require.ErrorIs(t, err, ErrNoRedis)
}
