package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/millrace/millrace/pkg/credential"
)

type sqlCommand struct {
	Query  string `arg:"" help:"The query, e.g. 'SELECT event_type, influence, value FROM outcomes'."`
	Data   string `help:"Data folder of a running \"up\"." default:"./data" placeholder:"DIR"`
	Format string `help:"One of ClickHouse's output formats." default:"PrettyCompactMonoBlock"`

	ClickHouseURL string `name:"clickhouse-url" help:"ClickHouse's HTTP address instead of a data folder's; a user and a password may stand in it." placeholder:"URL"`
	Database      string `help:"Database, with --clickhouse-url." default:"millrace"`

	User     string              `name:"clickhouse-user" help:"User, with --clickhouse-url." placeholder:"NAME"`
	Password credential.Password `embed:"" prefix:"clickhouse-"`
	TLS      credential.TLS      `embed:"" prefix:"clickhouse-" set:"server=ClickHouse"`
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
	client := http.DefaultClient
	if c.ClickHouseURL != "" {
		if client, err = c.present(target); err != nil {
			return err
		}
	}
	target.RawQuery = url.Values{"database": {database}, "default_format": {c.Format}}.Encode()
	return ask(ctx, client, target, c.Query)
}

// present puts the user and the password into the address, and returns what shows and demands certificates.
func (c *sqlCommand) present(target *url.URL) (*http.Client, error) {
	const prefix = "clickhouse-"
	var secured credential.TLS
	if target.Scheme == "https" {
		secured = c.TLS
		secured.On = true
	}
	if err := cmp.Or(secured.Check(prefix), c.Password.Check(prefix)); err != nil {
		return nil, err
	}
	password, err := c.Password.Read()
	if err != nil {
		return nil, err
	}
	if inURL, _ := target.User.Password(); password == "" {
		password = inURL
	}
	if c.User != "" || password != "" {
		target.User = url.UserPassword(cmp.Or(c.User, target.User.Username(), "default"), password)
	}
	config, err := secured.Config()
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment}}, err
}

func ask(ctx context.Context, client *http.Client, target *url.URL, text string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	response, err := client.Do(request)
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
