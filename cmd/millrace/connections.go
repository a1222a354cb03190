package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

type connectionsCommand struct {
	Create createCommand `cmd:"" help:"Create a connection and show its URL, once."`
	List   listCommand   `cmd:"" help:"List the connections."`
}

// installation says which Millrace a command is for.
type installation struct {
	Data      string `help:"Data folder of a running \"up\"; not looked at when --brokers is set." default:"./data" placeholder:"DIR"`
	TokenKey  string `help:"Key of the tokens, with --brokers. Better given as MILLRACE_TOKEN_KEY." placeholder:"KEY"`
	PublicURL string `help:"Where senders reach the edge, with --brokers." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Output    string `help:"text for people, json for programs." enum:"text,json" default:"text"`

	Stream stream.Config `embed:""`
}

// commandTimeout bounds a command: an unreachable broker must not hang it.
const commandTimeout = 15 * time.Second

// with opens the installation's registry of connections for one action.
func (i *installation) with(ctx context.Context, act func(context.Context, *connection.Store) error) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	key, err := i.resolve()
	if err != nil {
		return err
	}
	client, err := stream.NewClient(i.Stream, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("%w: check --brokers, or that \"millrace up\" is running", err)
	}
	if err := client.EnsureTopics(ctx); err != nil {
		return err
	}
	return withStore(ctx, client, key, act)
}

// withStore follows the registry for as long as act takes.
func withStore(ctx context.Context, client *stream.Client, key token.Key, act func(context.Context, *connection.Store) error) error {
	log := client.ConnectionsLog()
	registry := connection.NewRegistry(log, connection.NewMetrics(nil))
	following, stop := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() { followed <- registry.Run(following) }()
	err := act(ctx, connection.NewStore(connection.StoreConfig{Key: key, Log: log, Registry: registry}))
	stop()
	return errors.Join(err, <-followed)
}

// resolve fills in what a running "up" says.
func (i *installation) resolve() (token.Key, error) {
	if len(i.Stream.Brokers) > 0 {
		key, err := token.ParseKey(i.TokenKey)
		if err != nil {
			return token.Key{}, fmt.Errorf("--token-key (MILLRACE_TOKEN_KEY): %w", err)
		}
		return key, nil
	}
	s, err := readState(i.Data)
	if err != nil {
		return token.Key{}, err
	}
	i.Stream.Brokers, i.PublicURL = []string{s.Kafka}, s.URL
	return readKey(i.Data)
}

type createCommand struct {
	Product   string `help:"Id of the product that the events belong to." required:"" placeholder:"ID"`
	Workspace string `help:"Id of the workspace that owns the product." default:"default" placeholder:"ID"`
	Name      string `help:"A name for people."`
	Note      string `help:"A note for people."`
	Secret    string `help:"Shared secret that every request must carry in x-greenflash-secret; 8 characters at least." placeholder:"TEXT"`

	installation `embed:""`
}

// created is what "create" prints, the one time that the URL exists.
type created struct {
	ConnectionID string `json:"connection_id"`
	ProductID    string `json:"product_id"`
	WorkspaceID  string `json:"workspace_id"`
	URL          string `json:"url"`
	Token        string `json:"token"`
}

// Run creates the connection.
func (c *createCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, store *connection.Store) error {
		params := connection.CreateParams{WorkspaceID: c.Workspace, ProductID: c.Product, Name: c.Name, Note: c.Note}
		if c.Secret != "" {
			params.Secret = token.NewSecret(c.Secret)
		}
		made, err := store.Create(ctx, params)
		if err != nil {
			return err
		}
		out := created{made.Connection.ID, made.Connection.ProductID, made.Connection.WorkspaceID, segmentURL(c.PublicURL, made.Token), made.Token.Reveal()}
		if c.Output == "json" {
			return printJSON(os.Stdout, out)
		}
		fmt.Printf("Connection %s feeds product %s.\n\nIts URL is the secret, and is shown only now:\n\n  %s\n", out.ConnectionID, out.ProductID, out.URL)
		return nil
	})
}

func segmentURL(base string, t token.Secret) string { return base + "/v1/segment/" + t.Reveal() }

type listCommand struct {
	installation `embed:""`
}

// listed is a connection as "list" prints it.
type listed struct {
	ConnectionID string     `json:"connection_id"`
	ProductID    string     `json:"product_id"`
	WorkspaceID  string     `json:"workspace_id"`
	Name         string     `json:"name"`
	Note         string     `json:"note"`
	Status       string     `json:"status"`
	HasSecret    bool       `json:"has_secret"`
	CreatedAt    time.Time  `json:"created_at"`
	FirstEventAt *time.Time `json:"first_event_at"`
	LastEventAt  *time.Time `json:"last_event_at"`
}

// Run lists the connections.
func (c *listCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, store *connection.Store) error {
		all, err := store.List(ctx)
		if err != nil {
			return err
		}
		out := make([]listed, 0, len(all))
		for i := range all {
			l := &all[i]
			out = append(out, listed{l.ID, l.ProductID, l.WorkspaceID, l.Name, l.Note, string(l.Status), !l.SecretHash.IsZero(),
				l.CreatedAt, optional(l.FirstEventAt), optional(l.LastEventAt)})
		}
		if c.Output == "json" {
			return printJSON(os.Stdout, out)
		}
		return printTable(os.Stdout, out)
	})
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func printTable(w io.Writer, all []listed) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONNECTION\tPRODUCT\tWORKSPACE\tSTATUS\tCREATED\tLAST EVENT\tNAME")
	for i := range all {
		l := &all[i]
		last := "never"
		if l.LastEventAt != nil {
			last = l.LastEventAt.Format(time.DateTime)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ConnectionID, l.ProductID, l.WorkspaceID, l.Status, l.CreatedAt.Format(time.DateTime), last, l.Name)
	}
	return table.Flush()
}
