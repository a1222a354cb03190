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

// Config holds the flags of the connection to ClickHouse.
type Config struct {
	ClickHouse  string        `name:"clickhouse" help:"ClickHouse's native address." default:"127.0.0.1:9000" placeholder:"ADDR"`
	Database    string        `help:"Database of the tables." default:"millrace"`
	Cluster     string        `name:"clickhouse-cluster" help:"Cluster that holds the rows, as named in ClickHouse's remote_servers. Each product is in one shard. All programs must name the same cluster." placeholder:"NAME"`
	Replicated  bool          `name:"clickhouse-replicated" help:"The shards of --clickhouse-cluster have replicas, coordinated by Keeper. Tables are created ON CLUSTER, and an insert waits for a quorum."`
	User        string        `name:"clickhouse-user" help:"User of ClickHouse." default:"default"`
	Compression string        `name:"clickhouse-compression" help:"Compression of blocks on the network: none, lz4 or zstd. None is fastest and uses the least memory." enum:"none,lz4,zstd" default:"none"`
	Timeout     time.Duration `name:"insert-timeout" help:"Time-out of an insert. After it the connection is closed and the same block is retried." default:"60s"`
	Inserts     int           `name:"concurrent-inserts" help:"Inserts in progress at the same time." default:"3"`

	VisibilityDelay time.Duration `kong:"-"` // overrides the constant in tests; equal for all loaders of a database

	Password credential.Password `embed:"" prefix:"clickhouse-"`
	TLS      credential.TLS      `embed:"" prefix:"clickhouse-" set:"server=ClickHouse"`
}

const flagPrefix = "clickhouse-"

var (
	identifier  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	clusterName = regexp.MustCompile(`^[A-Za-z0-9_.-]*$`)
)

// Validate returns an error that names the flag, its value and its bound, for the first flag that is wrong. It does not
// connect.
func (c *Config) Validate() error {
	switch {
	case c.ClickHouse == "":
		return errors.New("--clickhouse must name ClickHouse's native address, host:port")
	case !identifier.MatchString(c.Database):
		return fmt.Errorf("--database is %q, but must be letters, digits and underscores", c.Database)
	case !clusterName.MatchString(c.Cluster):
		return fmt.Errorf(
			"--clickhouse-cluster is %q, but must be letters, digits, underscores, dots and hyphens",
			c.Cluster,
		)
	case c.Replicated && c.Cluster == "":
		return errors.New("--clickhouse-replicated needs --clickhouse-cluster")
	case c.Timeout < time.Second:
		return fmt.Errorf("--insert-timeout is %s, but must be at least 1s", c.Timeout)
	case c.Inserts < 1:
		return errors.New("--concurrent-inserts must be at least 1")
	}
	return cmp.Or(c.Password.Check(flagPrefix), c.TLS.Check(flagPrefix))
}

// local returns the database of the tables that hold rows. In a cluster, Database has the Distributed tables over them.
func (c *Config) local() string {
	if c.Cluster == "" {
		return c.Database
	}
	return c.Database + "_local"
}

// at returns the configuration for one server.
func (c Config) at(addr string) *Config {
	c.ClickHouse = addr
	return &c
}

// open returns a database handle of clickhouse-go, which connects on first use.
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

// credentials reads the password and certificates from their files, for one connection.
func (c *Config) credentials() (password string, secured *tls.Config, err error) {
	if password, err = c.Password.Read(); err != nil {
		return "", nil, err
	}
	secured, err = c.TLS.Config()
	return password, secured, err
}

var compressions = map[string]ch.Compression{
	"none": ch.CompressionDisabled,
	"lz4":  ch.CompressionLZ4,
	"zstd": ch.CompressionZSTD,
}

// options returns ch-go's options for one connection.
func (c *Config) options(addr string) (ch.Options, error) {
	password, secured, err := c.credentials()
	var settings []ch.Setting
	if c.Replicated { // acknowledged rows survive the loss of a replica; a replica that is down delays nothing
		settings = []ch.Setting{{Key: "insert_quorum", Value: "auto"}, {Key: "skip_unavailable_shards", Value: "1"}}
	}
	return ch.Options{
		Settings: settings,
		Address:  addr, Database: c.local(), User: c.User, Password: password, TLS: secured,
		Compression: compressions[c.Compression],
		ClientName:  "millrace",
		DialTimeout: 3 * time.Second, HandshakeTimeout: 10 * time.Second, ReadTimeout: c.Timeout,
	}, err
}
