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
	// redisTrial is the key that a check writes; it is gone soon.
	redisTrial    = redisPrefix + "doctor"
	redisTrialTTL = time.Second
)

// CheckRedis looks whether memos can be kept, and at Redis's clock.
func CheckRedis(ctx context.Context, config RedisConfig, r *doctor.Report) {
	if config.Redis == "" {
		r.OK(redisCheck, "none is named: each edge proves tokens itself, once after each start")
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
		err = client.Set(ctx, redisTrial, "", redisTrialTTL).Err()
	}
	if err == nil {
		err = client.Get(ctx, redisTrial).Err()
	}
	if err != nil {
		r.Fail(redisCheck, redisRemedy(err, options.TLSConfig), "%s: %v", options.Addr, err)
		return
	}
	r.OK(redisCheck, "%s keeps proofs", options.Addr)
	r.Clock("redis clock", "Redis", told, asked, answered)
}

func redisRemedy(err error, secured *tls.Config) string {
	if change := credential.Explain(err, redisFlags); change != "" {
		return change
	}
	switch text := err.Error(); {
	case secured != nil && len(secured.Certificates) == 0 && hungUp(err): // why may be lost on the way
		return "if the server asks for a certificate, name ours with --" + redisFlags + "tls-cert and --" + redisFlags + "tls-key"
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"):
		return "check --redis-user and --redis-password"
	case strings.HasPrefix(text, "NOPERM"):
		return "give the user of --redis-user the commands GET, SET, TIME and HELLO, and the keys " + redisPrefix + "*"
	}
	return "start it, or name another with --redis; edges do without it, at a price after each start"
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
