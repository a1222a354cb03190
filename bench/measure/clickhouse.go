//go:build linux

package measure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/embedded"
)

// ClickHouse is the embedded engine in its own process.
type ClickHouse struct {
	*embedded.ClickHouse
	client http.Client
}

// StartClickHouse starts the engine with its data in dir, and fetches it if it is missing. profile is XML of default
// settings, which also apply to the engine's own Kafka consumers; it may be empty. log may be nil.
func StartClickHouse(ctx context.Context, dir, profile string, log *slog.Logger) (*ClickHouse, error) {
	config := embedded.ClickHouseConfig{Dir: dir, Logger: log}
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

// defaultUser is the user that the engine has by default.
const defaultUser = `<users><default><password></password><networks><ip>::/0</ip></networks>
	<profile>default</profile><quota>default</quota>
	<access_management>1</access_management><named_collection_control>1</named_collection_control>
	</default></users><quotas><default></default></quotas>`

// Stop ends the engine, and kills it after 20 seconds.
func (c *ClickHouse) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.Close(ctx)
}

// Usage is the usage of the engine's process.
func (c *ClickHouse) Usage() (Usage, error) { return UsageOf(c.Pid()) }

// SQL runs a statement in a database and returns its result, tab-separated, without the last newline.
func (c *ClickHouse) SQL(ctx context.Context, database, statement string) (string, error) {
	var lines []string
	err := c.Each(ctx, database, statement, func(line string) { lines = append(lines, line) })
	return strings.Join(lines, "\n"), err
}

// maxLineBytes is the maximum length of a line of a result.
const maxLineBytes = 16 << 20

// Each runs a query and calls take for each line of its result, tab-separated, without the newline.
func (c *ClickHouse) Each(ctx context.Context, database, query string, take func(line string)) error {
	at := c.HTTPURL() + "/?database=" + url.QueryEscape(database)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(query))
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%.80s…: %s", query, text)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "__exception__") {
			return fmt.Errorf("%.80s…: %s", query, lines.Text())
		}
		take(lines.Text())
	}
	return lines.Err()
}

// Count returns the one number that a query selects.
func (c *ClickHouse) Count(ctx context.Context, database, query string) (n int, err error) {
	text, err := c.SQL(ctx, database, query)
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}
