package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/doctor"
)

const (
	redisCheck = "redis"
	// redisProbe is the key that the check writes.
	redisProbe    = redisPrefix + "doctor"
	redisProbeTTL = time.Second
)

// CheckRedis checks that proofs can be written and read, and Redis's clock.
func CheckRedis(ctx context.Context, config RedisConfig, r *doctor.Report) {
	if config.Redis == "" {
		r.OK(redisCheck, "not configured: each edge proves tokens itself, once after each start")
		return
	}
	options, err := config.options()
	if err != nil {
		r.Fail(redisCheck, "correct that flag", "%v", err)
		return
	}
	client := redis.NewClient(options)
	defer client.Close()
	asked := time.Now()
	told, err := client.Time(ctx).Result()
	answered := time.Now()
	if err == nil {
		err = client.Set(ctx, redisProbe, "", redisProbeTTL).Err()
	}
	if err == nil {
		err = client.Get(ctx, redisProbe).Err()
	}
	if err != nil {
		r.Fail(redisCheck, redisRemedy(err, options.TLSConfig), "%s: %v", options.Addr, err)
		return
	}
	r.OK(redisCheck, "%s stores proofs", options.Addr)
	r.Clock("redis clock", "Redis", told, asked, answered)
}

func redisRemedy(err error, secured *tls.Config) string {
	if change := credential.Explain(err, redisFlags); change != "" {
		return change
	}
	switch text := err.Error(); {
	case secured != nil && len(secured.Certificates) == 0 && connectionClosed(err): // the reason may be lost
		return "if the server requires a client certificate, set --" + redisFlags + "tls-cert and --" + redisFlags + "tls-key"
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"):
		return "check --redis-user and --redis-password"
	case strings.HasPrefix(text, "NOPERM"):
		return "grant --redis-user the commands GET, SET, TIME and HELLO, and the keys " + redisPrefix + "*"
	}
	return "start it or correct --redis; edges work without it and prove each token after each start"
}

func connectionClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
