package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Limits of a query. The queries of people must not slow down loaders.
const (
	readSeconds = 10
	readRows    = 10_000
	readersOpen = 4               // connections
	readersWait = 5 * time.Second // for a connection to be opened or to become free
)

// Reader runs the queries of people: read-only and bounded in time, rows and connections.
type Reader struct {
	config Config
	conn   driver.Conn
}

// OpenReader returns a reader that connects on first use. In a cluster it queries all shards. It returns an error if
// the configuration is invalid.
func OpenReader(config Config) (*Reader, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if _, _, err := config.credentials(); err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:         []string{config.ClickHouse},
		Auth:         clickhouse.Auth{Database: config.Database, Username: config.User},
		DialStrategy: config.dialWithCredentials,
		Settings: clickhouse.Settings{
			"readonly":           2, // only settings can be changed, which some queries do
			"max_execution_time": readSeconds,
			"max_result_rows":    readRows,
		},
		DialTimeout: readersWait, ReadTimeout: 2 * readSeconds * time.Second,
		MaxOpenConns: readersOpen, MaxIdleConns: readersOpen,
	})
	if err != nil {
		return nil, fmt.Errorf("configure the connection to ClickHouse: %w", err)
	}
	return &Reader{config: config, conn: conn}, nil
}

// dialWithCredentials opens a connection with the password and certificates that the files hold now.
func (c Config) dialWithCredentials(
	ctx context.Context,
	_ int,
	options *clickhouse.Options,
	dial clickhouse.Dial,
) (clickhouse.DialResult, error) {
	now := *options
	var err error
	if now.Auth.Password, now.TLS, err = c.credentials(); err != nil {
		return clickhouse.DialResult{}, err
	}
	return dial(ctx, c.ClickHouse, &now)
}

// Close closes the connections.
func (r *Reader) Close() error { return r.conn.Close() }

// Select runs a query. Columns go to the fields of T with the tag `ch:"name"`. A parameter is written {name:Type} in
// the query, and its value is sent apart from the text. The value of a String is the string; any other value is in
// ClickHouse's text form, with strings in it quoted by Quote. Errors say what to do where that is known.
func Select[T any](ctx context.Context, r *Reader, query string, parameters map[string]string) ([]T, error) {
	queryCtx, end := withoutDeadline(ctx)
	defer end()
	queryCtx = clickhouse.Context(queryCtx, clickhouse.WithParameters(encoded(query, parameters)))
	var rows []T
	if err := r.conn.Select(queryCtx, &rows, query); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, r.explain(err)
	}
	return rows, nil
}

// withoutDeadline returns a context that ends with ctx but has no deadline. clickhouse-go turns a deadline into the
// setting max_execution_time.
func withoutDeadline(ctx context.Context) (context.Context, func()) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return inner, func() { stop(); cancel() }
}

func (r *Reader) explain(err error) error {
	err = fmt.Errorf("query ClickHouse at %s: %w", r.config.ClickHouse, err)
	if change := r.remedy(err); change != "" {
		return fmt.Errorf("%w: %s", err, change)
	}
	return err
}

// remedy returns what the user or an operator can do about an error, or "".
func (r *Reader) remedy(err error) string {
	if change := remedy(err); change != "" {
		return change
	}
	var network net.Error
	switch code := codeOf(err); {
	case code == proto.ErrAccessDenied:
		return "GRANT SELECT ON " + r.config.Database + ".* TO " + r.config.User
	case code == proto.ErrReadonly, code == proto.ErrSettingConstraintViolation:
		return "let the profile of " + r.config.User + " set readonly to 2, max_execution_time and max_result_rows"
	case code == proto.ErrTimeoutExceeded, code == proto.ErrTooManyRowsOrBytes, code == proto.ErrMemoryLimitExceeded:
		return "query less: a shorter time, or one product"
	case errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		return fmt.Sprintf("all %d connections for queries are in use; retry in a moment", readersOpen)
	case code == 0 && errors.As(err, &network):
		return "check --clickhouse and that the server runs"
	}
	return ""
}
