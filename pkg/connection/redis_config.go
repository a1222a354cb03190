package connection

import (
	"cmp"
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/millrace/millrace/pkg/credential"
)

// RedisConfig holds address and login of an optional Redis. Its fields are flags.
type RedisConfig struct {
	Redis    string              `help:"Redis that shares proved tokens between edges; without one each edge proves them itself. rediss:// uses TLS." placeholder:"redis://HOST:PORT"`
	User     string              `name:"redis-user" help:"Redis user, if it is not in the URL." placeholder:"NAME"`
	Password credential.Password `embed:"" prefix:"redis-"`
	TLS      credential.TLS      `embed:"" prefix:"redis-" set:"server=Redis"`
}

const redisFlags = "redis-"

// Validate checks the settings without connecting. Errors do not quote the address, which may contain a password.
func (c *RedisConfig) Validate() error {
	if c.Redis == "" {
		if c.User != "" || !c.Password.IsZero() || c.TLS != (credential.TLS{}) {
			return errors.New("--redis-… flags are set without --redis: set --redis")
		}
		return nil
	}
	_, err := c.options()
	return err
}

// options returns the client's options. Files are read for each connection.
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
		return nil, errors.New("--redis contains a password, and --redis-password or --redis-password-file is set: use one of them")
	}
	options.TLSConfig = nil // the dialer does TLS
	options.Dialer = secured.Dialer(redisDial)
	options.Username = cmp.Or(c.User, options.Username)
	if password := c.Password; !password.IsZero() {
		user := options.Username
		options.CredentialsProviderContext = func(context.Context) (string, string, error) {
			text, err := password.Read()
			return user, text, err
		}
	}
	options.ContextTimeoutEnabled = true // otherwise a call ignores its deadline
	options.MaxRetries = -1
	options.DialTimeout = redisDial
	options.DialerRetries = 1
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options, nil
}
