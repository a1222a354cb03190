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

// What a question may take. People ask them, and what the loader has to do goes first.
const (
	readSeconds = 10
	readRows    = 10_000
	readersOpen = 4               // connections
	readersWait = 5 * time.Second // for one of them, be it that it is opened or that it is given back
)

// Reader asks what people want to know. It can change nothing, and none of its questions may take long.
type Reader struct {
	config Config
	conn   driver.Conn
}

// OpenReader prepares to ask. In a cluster it asks the database that asks all shards. It connects when it is asked first.
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
		DialStrategy: config.present,
		Settings: clickhouse.Settings{
			"readonly":           2, // nothing can be changed but settings, which some questions bring
			"max_execution_time": readSeconds,
			"max_result_rows":    readRows,
		},
		DialTimeout: readersWait, ReadTimeout: 2 * readSeconds * time.Second,
		MaxOpenConns: readersOpen, MaxIdleConns: readersOpen,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare to ask ClickHouse: %w", err)
	}
	return &Reader{config: config, conn: conn}, nil
}

// present opens a connection with the password and the certificates that the files have now.
func (c Config) present(ctx context.Context, _ int, options *clickhouse.Options, dial clickhouse.Dial) (clickhouse.DialResult, error) {
	now := *options
	var err error
	if now.Auth.Password, now.TLS, err = c.credentials(); err != nil {
		return clickhouse.DialResult{}, err
	}
	return dial(ctx, c.ClickHouse, &now)
}

// Close ends the connections.
func (r *Reader) Close() error { return r.conn.Close() }

// Select asks. The columns of the answer go to the fields of T that are tagged `ch:"name"`. A parameter stands in the query as
// {name:Type}, and its value is never part of the query's text: a String's is the string itself, any other's is what
// ClickHouse would read in a text, with the strings in it quoted by Quote.
func Select[T any](ctx context.Context, r *Reader, query string, parameters map[string]string) ([]T, error) {
	asking, end := undated(ctx)
	defer end()
	asking = clickhouse.Context(asking, clickhouse.WithParameters(encoded(query, parameters)))
	var rows []T
	if err := r.conn.Select(asking, &rows, query); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, r.explain(err)
	}
	return rows, nil
}

// undated ends when ctx does, and tells no deadline: clickhouse-go would make that a setting, in place of ours.
func undated(ctx context.Context) (context.Context, func()) {
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return asking, func() { stop(); cancel() }
}

func (r *Reader) explain(err error) error {
	err = fmt.Errorf("ask ClickHouse at %s: %w", r.config.ClickHouse, err)
	if change := r.remedy(err); change != "" {
		return fmt.Errorf("%w: %s", err, change)
	}
	return err
}

// remedy says what whoever asks can do about an error, or whoever runs ClickHouse.
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
		return "ask for less: a shorter time, or one product"
	case errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		return fmt.Sprintf("all %d connections for questions are in use, ask again in a moment", readersOpen)
	case code == 0 && errors.As(err, &network):
		return "check --clickhouse, and that it runs"
	}
	return ""
}
