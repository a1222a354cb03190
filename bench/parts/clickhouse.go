//go:build linux

package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// StartClickHouse starts the engine with its data in dir. The first one fetches it.
func StartClickHouse(ctx context.Context, dir string) (*ClickHouse, error) {
	engine, found := embedded.FindEngine("")
	if !found {
		var err error
		if engine, err = embedded.FetchEngine(ctx, nil); err != nil {
			return nil, err
		}
	}
	c, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: dir, Engine: engine})
	if err != nil {
		return nil, err
	}
	return &ClickHouse{ClickHouse: c}, nil
}

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
