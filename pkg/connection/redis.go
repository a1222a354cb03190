package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

const (
	redisPrefix = "millrace:memo:"
	// redisTTL lets the memos of deleted connections go. Running out costs one scrypt per process.
	redisTTL = 30 * 24 * time.Hour
	// redisDial may be longer than the budget of a call: the client dials on when the call has given up.
	redisDial = time.Second
)

// The client would print each failed dial to stderr in a form of its own. They are counted instead.
func init() { redis.SetLogger(&logging.VoidLogger{}) }

// RedisMemos is the MemoStore in Redis.
type RedisMemos struct{ client *redis.Client }

// NewRedisMemos does not connect yet: without Redis everything works, only starts are slower.
func NewRedisMemos(config RedisConfig) (*RedisMemos, error) {
	options, err := config.options()
	if err != nil {
		return nil, err
	}
	options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = MemoBudget, MemoBudget, MemoBudget
	return &RedisMemos{redis.NewClient(options)}, nil
}

// Get implements MemoStore.
func (r *RedisMemos) Get(ctx context.Context, connectionID string) ([]byte, error) {
	b, err := r.client.Get(ctx, redisPrefix+connectionID).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("getting a memo from Redis: %w", err)
	}
	return b, nil
}

// Set implements MemoStore.
func (r *RedisMemos) Set(ctx context.Context, connectionID string, memo []byte) error {
	if err := r.client.Set(ctx, redisPrefix+connectionID, memo, redisTTL).Err(); err != nil {
		return fmt.Errorf("setting a memo in Redis: %w", err)
	}
	return nil
}

// Close ends the connections to Redis.
func (r *RedisMemos) Close() error { return r.client.Close() }
