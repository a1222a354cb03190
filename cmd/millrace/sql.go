package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

type sqlCommand struct {
	Query  string `arg:"" help:"The query, e.g. 'SELECT event_type, influence, value FROM outcomes'."`
	Data   string `help:"Data folder of a running \"up\"." default:"./data" placeholder:"DIR"`
	Format string `help:"One of ClickHouse's output formats." default:"PrettyCompactMonoBlock"`

	ClickHouseURL string `name:"clickhouse-url" help:"ClickHouse's HTTP address instead of a data folder's; a user and a password may stand in it." placeholder:"URL"`
	Database      string `help:"Database, with --clickhouse-url." default:"millrace"`
}

// Run prints the answer.
func (c *sqlCommand) Run(ctx context.Context) error {
	address, database := c.ClickHouseURL, c.Database
	if address == "" {
		s, err := readState(c.Data)
		if err != nil {
			return err
		}
		address, database = s.ClickHouseURL, s.Database
	}
	target, err := url.Parse(address)
	if err != nil {
		return errors.New("--clickhouse-url is not a URL, such as http://127.0.0.1:8123")
	}
	target.RawQuery = url.Values{"database": {database}, "default_format": {c.Format}}.Encode()
	return query(ctx, target, c.Query)
}

func query(ctx context.Context, target *url.URL, text string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ClickHouse does not answer at %s: is it running? %w", target.Host, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		message, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what was read is shown
		return fmt.Errorf("ClickHouse says: %s", strings.TrimSpace(string(message)))
	}
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
