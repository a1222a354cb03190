package warehouse

import (
	"cmp"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace/millrace/pkg/credential"
)

// Config says where ClickHouse is. Its fields are flags.
type Config struct {
	ClickHouse  string        `name:"clickhouse" help:"ClickHouse's native address." default:"127.0.0.1:9000" placeholder:"ADDR"`
	Database    string        `help:"Database of the tables." default:"millrace"`
	User        string        `name:"clickhouse-user" help:"User of ClickHouse." default:"default"`
	Compression string        `name:"clickhouse-compression" help:"Compression of blocks on their way: none, lz4 or zstd. None is fastest and takes the least memory, where the network carries it." enum:"none,lz4,zstd" default:"none"`
	Timeout     time.Duration `name:"insert-timeout" help:"How long an insert may take before its connection is given up and the same block is sent again." default:"60s"`
	Inserts     int           `name:"concurrent-inserts" help:"Blocks sent at once." default:"3"`

	Settling time.Duration `kong:"-"` // instead of the constant, for tests: all loaders of a database must have the same

	Password credential.Password `embed:"" prefix:"clickhouse-"`
	TLS      credential.TLS      `embed:"" prefix:"clickhouse-" set:"server=ClickHouse"`
}

const flagPrefix = "clickhouse-"

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate checks everything that can be checked before ClickHouse is asked.
func (c *Config) Validate() error {
	switch {
	case c.ClickHouse == "":
		return errors.New("--clickhouse must name ClickHouse's native address, host:port")
	case !identifier.MatchString(c.Database):
		return fmt.Errorf("--database is %q, but must be letters, digits and underscores", c.Database)
	case c.Timeout < time.Second:
		return fmt.Errorf("--insert-timeout is %s, but must be at least 1s", c.Timeout)
	case c.Inserts < 1:
		return errors.New("--concurrent-inserts must be at least 1")
	}
	return cmp.Or(c.Password.Check(flagPrefix), c.TLS.Check(flagPrefix))
}

// open returns clickhouse-go's view of a database.
func (c *Config) open(database string) (*sql.DB, error) {
	password, secured, err := c.credentials()
	if err != nil {
		return nil, err
	}
	return clickhouse.OpenDB(&clickhouse.Options{
		Addr: []string{c.ClickHouse},
		Auth: clickhouse.Auth{Database: database, Username: c.User, Password: password},
		TLS:  secured,
	}), nil
}

// credentials are for one connection, with the files as they are now.
func (c *Config) credentials() (password string, secured *tls.Config, err error) {
	if password, err = c.Password.Read(); err != nil {
		return "", nil, err
	}
	secured, err = c.TLS.Config()
	return password, secured, err
}

var compressions = map[string]ch.Compression{"none": ch.CompressionDisabled, "lz4": ch.CompressionLZ4, "zstd": ch.CompressionZSTD}

// options are for one connection.
func (c *Config) options() (ch.Options, error) {
	password, secured, err := c.credentials()
	return ch.Options{
		Address: c.ClickHouse, Database: c.Database, User: c.User, Password: password, TLS: secured,
		Compression: compressions[c.Compression],
		ClientName:  "millrace",
		DialTimeout: 3 * time.Second, HandshakeTimeout: 10 * time.Second, ReadTimeout: c.Timeout,
	}, err
}
