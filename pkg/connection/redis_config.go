package connection

import (
	"cmp"
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/millrace/millrace/pkg/credential"
)

// RedisConfig says where Redis is, if there is one. Its fields are flags.
type RedisConfig struct {
	Redis    string              `help:"Redis that remembers proved tokens for all edges; without one each edge proves them itself. rediss:// is with TLS." placeholder:"redis://HOST:PORT"`
	User     string              `name:"redis-user" help:"User to log in to Redis as, where it is not in the URL." placeholder:"NAME"`
	Password credential.Password `embed:"" prefix:"redis-"`
	TLS      credential.TLS      `embed:"" prefix:"redis-" set:"server=Redis"`
}

const redisFlags = "redis-"

// Validate checks everything that can be checked before Redis is asked. The errors do not quote the address, which may
// hold a password.
func (c *RedisConfig) Validate() error {
	if c.Redis == "" {
		if c.User != "" || !c.Password.IsZero() || c.TLS != (credential.TLS{}) {
			return errors.New("flags of --redis-… are set, but not --redis: name the Redis there")
		}
		return nil
	}
	_, err := c.options()
	return err
}

// options are for clients. What is in files is read for each connection.
func (c *RedisConfig) options() (*redis.Options, error) {
	options, err := redis.ParseURL(c.Redis)
	if err != nil {
		return nil, errors.New("--redis is not of the form redis://user:password@host:port/database")
	}
	secured := c.TLS
	secured.On = secured.On || options.TLSConfig != nil
	if err := cmp.Or(secured.Check(redisFlags), c.Password.Check(redisFlags)); err != nil {
		return nil, err
	}
	if options.Password != "" && !c.Password.IsZero() {
		return nil, errors.New("--redis has a password in it, and --redis-password or --redis-password-file is set: leave one of them out")
	}
	options.TLSConfig = nil // the dialer sees to it
	options.Dialer = secured.Dialer(redisDial)
	options.Username = cmp.Or(c.User, options.Username)
	if password := c.Password; !password.IsZero() {
		user := options.Username
		options.CredentialsProviderContext = func(context.Context) (string, string, error) {
			text, err := password.Read()
			return user, text, err
		}
	}
	options.ContextTimeoutEnabled = true // without it a call's deadline is not looked at
	options.MaxRetries = -1
	options.DialTimeout = redisDial
	options.DialerRetries = 1
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options, nil
}
