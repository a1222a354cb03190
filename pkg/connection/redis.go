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
	redisPrefix = "millrace:proof:"
	// redisTTL removes the proofs of deleted connections. An expired proof costs one run of scrypt per process.
	redisTTL = 30 * 24 * time.Hour
	// redisDial may exceed ProofCacheTimeout: the client continues to dial after the call has returned.
	redisDial = time.Second
)

// The client would print each failed dial to stderr. They are counted instead.
func init() { redis.SetLogger(&logging.VoidLogger{}) }

// RedisProofs is a ProofCache in Redis.
type RedisProofs struct{ client *redis.Client }

// NewRedisProofs does not connect. Edges work without Redis; only their starts are slower.
func NewRedisProofs(config RedisConfig) (*RedisProofs, error) {
	options, err := config.options()
	if err != nil {
		return nil, err
	}
	options.ReadTimeout, options.WriteTimeout = ProofCacheTimeout, ProofCacheTimeout
	options.PoolTimeout = ProofCacheTimeout
	return &RedisProofs{redis.NewClient(options)}, nil
}

// Get implements MemoStore.
func (r *RedisProofs) Get(ctx context.Context, connectionID string) ([]byte, error) {
	b, err := r.client.Get(ctx, redisPrefix+connectionID).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get a proof from Redis: %w", err)
	}
	return b, nil
}

// Set implements MemoStore.
func (r *RedisProofs) Set(ctx context.Context, connectionID string, proof []byte) error {
	if err := r.client.Set(ctx, redisPrefix+connectionID, proof, redisTTL).Err(); err != nil {
		return fmt.Errorf("set a proof in Redis: %w", err)
	}
	return nil
}

// Close ends the connections to Redis.
func (r *RedisProofs) Close() error { return r.client.Close() }
