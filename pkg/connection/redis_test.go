package connection

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

// startRedis runs a server that keeps nothing on disk, and returns its address and its process.
func startRedis(t *testing.T) (addr string, server *os.Process) {
	t.Helper()
	addr = freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, cmd.Start(), "the tests need redis-server")
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	require.Eventually(t, func() bool { return client.Ping(context.Background()).Err() == nil }, 30*time.Second, 20*time.Millisecond)
	return addr, cmd.Process
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func connect(t *testing.T, addr string) *RedisProofs {
	t.Helper()
	memos, err := NewRedisProofs(RedisConfig{Redis: "redis://" + addr + "/0"})
	require.NoError(t, err)
	t.Cleanup(func() { memos.Close() })
	return memos
}

func TestRedisSharesProofsBetweenProcesses(t *testing.T) {
	addr, _ := startRedis(t)
	topic, key := newTopic(), token.NewKey()
	first := start(t, topic, key, slow{connect(t, addr)})
	created := first.create(t, CreateParams{Secret: token.NewSecret("a secret")})
	require.Equal(t, 2, first.runs(t, func() {
		_, err := first.verify(created.Token, "a secret")
		require.NoError(t, err)
	}))

	second := start(t, topic, key, slow{connect(t, addr)})
	for range 2 {
		got, err := second.verify(created.Token, "a secret")
		require.NoError(t, err)
		require.Equal(t, created.Connection, *got)
	}
	require.Zero(t, count(t, second.metrics.scrypt))
	require.Equal(t, 1, count(t, second.metrics.hitRedis))
	require.Equal(t, 1, count(t, second.metrics.hitProcess))

	fresh := second.rotate(t, created.Connection)
	first.catchUp(t)
	_, err := first.verify(created.Token, "a secret")
	require.Equal(t, ErrInvalid, err, "the memo of the generation before is worth nothing")
	_, err = first.verify(fresh, "a secret")
	require.NoError(t, err)
	require.Zero(t, count(t, first.metrics.redisErrors)+count(t, second.metrics.redisErrors))
}

// slow gives a MemoStore the time that a busy machine may need, where the budget is not the point.
type slow struct{ ProofCache }

func (s slow) Get(_ context.Context, id string) ([]byte, error) {
	return retry(func(ctx context.Context) ([]byte, error) { return s.ProofCache.Get(ctx, id) })
}

func (s slow) Set(_ context.Context, id string, memo []byte) error {
	_, err := retry(func(ctx context.Context) ([]byte, error) { return nil, s.ProofCache.Set(ctx, id, memo) })
	return err
}

func retry(call func(context.Context) ([]byte, error)) (b []byte, err error) {
	for range 100 {
		if b, err = call(context.Background()); err == nil {
			return b, nil
		}
	}
	return nil, err
}

func TestRedis_HoldsNoSecrets(t *testing.T) {
	addr, _ := startRedis(t)
	p := start(t, newTopic(), token.NewKey(), slow{connect(t, addr)})
	created := p.create(t, CreateParams{Secret: token.NewSecret("canary secret")})
	_, err := p.verify(created.Token, "canary secret")
	require.NoError(t, err)
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	ctx := context.Background()
	keys, err := client.Keys(ctx, "*").Result()
	require.NoError(t, err)
	require.Equal(t, []string{"millrace:proof:" + created.Connection.ID}, keys)
	value, err := client.Get(ctx, keys[0]).Bytes()
	require.NoError(t, err)
	e := get(&p.registry.index, created.Connection.ID)
	require.Equal(t, e.proof.Load().encode(), value)
	require.Len(t, value, 40)
	ttl, err := client.TTL(ctx, keys[0]).Result()
	require.NoError(t, err)
	require.Positive(t, ttl)
}

// Whatever ails Redis, the answers stay right; the control is the count of errors.
func TestRedis_Failing_ChangesNoAnswer(t *testing.T) {
	for name, trouble := range map[string]func(*testing.T) string{
		"nobody listens": freeAddr,
		"it never answers": func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			return l.Addr().String() // the kernel takes connections that nobody reads
		},
		"it talks nonsense": func(t *testing.T) string { return talk(t, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"it hangs up":       func(t *testing.T) string { return talk(t, "") },
		"it was killed": func(t *testing.T) string {
			addr, server := startRedis(t)
			require.NoError(t, server.Kill())
			return addr
		},
		"it wants a password": func(t *testing.T) string {
			addr, _ := startRedis(t)
			client := redis.NewClient(&redis.Options{Addr: addr})
			defer client.Close()
			require.NoError(t, client.Do(context.Background(), "CONFIG", "SET", "requirepass", "x").Err())
			return addr
		},
	} {
		t.Run(name, func(t *testing.T) {
			memos, err := NewRedisProofs(RedisConfig{Redis: "redis://" + trouble(t)})
			require.NoError(t, err)
			t.Cleanup(func() { memos.Close() })
			p := start(t, newTopic(), token.NewKey(), memos)
			for range 3 {
				created := p.create(t, CreateParams{})
				_, err := p.verify(p.key.Mint(created.Connection.ID), "")
				require.Equal(t, ErrInvalid, err)
				_, err = p.verify(created.Token, "")
				require.NoError(t, err)
			}
			require.Equal(t, 9, count(t, p.metrics.redisErrors))
		})
	}
}

// talk listens, says one thing to each who comes, and hangs up.
func talk(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, text)
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestRedisCallsEndWithTheirContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	memos, err := NewRedisProofs(RedisConfig{Redis: "redis://" + l.Addr().String()})
	require.NoError(t, err)
	defer memos.Close()
	memos.client.Options().ReadTimeout = time.Hour // so that the context is what ends it
	ctx, cancel := context.WithTimeout(context.Background(), ProofCacheTimeout)
	defer cancel()
	_, err = memos.Get(ctx, anID)
	require.Error(t, err)
	require.Error(t, memos.Set(ctx, anID, nil))
}

func TestRedisAddressIsNotQuoted(t *testing.T) {
	for _, url := range []string{"", "canary", "http://canary", "redis://user:canary@host:port:port", "redis://:canary@h/x", "redis://h?canary=1"} {
		_, err := NewRedisProofs(RedisConfig{Redis: url})
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "canary")
	}
}
