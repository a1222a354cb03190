//go:build linux

package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/pkg/embedded"
)

// ClickHouse is the embedded engine, in a process of its own.
type ClickHouse struct {
	*embedded.ClickHouse
	client http.Client
}

// StartClickHouse starts the engine with its data in dir. The first one fetches it. The profile, if there is one, is XML of
// settings that hold for all that do not say otherwise, such as the engine's own consumers of Kafka.
func StartClickHouse(ctx context.Context, dir string, profile string) (*ClickHouse, error) {
	config := embedded.ClickHouseConfig{Dir: dir}
	if profile != "" {
		users := filepath.Join(dir, "users.xml")
		text := "<clickhouse><profiles><default>" + profile + "</default></profiles>" + defaultUser + "</clickhouse>"
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(users, []byte(text), 0o644)); err != nil {
			return nil, err
		}
		config.ExtraConfig = "<users_config>" + users + "</users_config>"
	}
	var found bool
	if config.Engine, found = embedded.FindEngine(""); !found {
		var err error
		if config.Engine, err = embedded.FetchEngine(ctx, nil); err != nil {
			return nil, err
		}
	}
	c, err := embedded.StartClickHouse(ctx, config)
	if err != nil {
		return nil, err
	}
	return &ClickHouse{ClickHouse: c}, nil
}

// defaultUser is the one that the engine has when it is given none.
const defaultUser = `<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
	<access_management>1</access_management><named_collection_control>1</named_collection_control></default></users><quotas><default></default></quotas>`

// Stop ends it.
func (c *ClickHouse) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.Close(ctx)
}

// Usage is what the engine has used.
func (c *ClickHouse) Usage() (measure.Usage, error) { return measure.UsageOf(c.Pid()) }

// SQL runs a statement in a database and returns what it answers, tab-separated, without the last line's end.
func (c *ClickHouse) SQL(ctx context.Context, database, statement string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.HTTPURL()+"/?database="+url.QueryEscape(database), strings.NewReader(statement))
	if err != nil {
		return "", err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "", err
	case response.StatusCode != http.StatusOK, strings.Contains(string(text), "__exception__"):
		return "", errors.New(string(text))
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// Count is a query's only number.
func (c *ClickHouse) Count(ctx context.Context, database, query string) (n int, err error) {
	text, err := c.SQL(ctx, database, query)
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}
