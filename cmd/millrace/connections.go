package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

type connectionsCommand struct {
	installation `embed:""`

	Create     createCommand     `cmd:"" help:"Create a connection and show its URL, once."`
	List       listCommand       `cmd:"" help:"List the connections."`
	Show       showCommand       `cmd:"" help:"Show one connection."`
	Pause      pauseCommand      `cmd:"" help:"Answer 204 to every request and drop it, until it is resumed."`
	Resume     resumeCommand     `cmd:"" help:"Take events again."`
	Disconnect disconnectCommand `cmd:"" help:"Like pause, for a source that is not expected back."`
	Salts      saltsCommand      `cmd:"" help:"Set the number of partitions for the product's messages."`
	Rotate     rotateCommand     `cmd:"" help:"Replace the URL. The old one is refused when this returns; the new one is shown once."`
	Delete     deleteCommand     `cmd:"" help:"Delete a connection for good. Its events stay."`
	Secret     secretCommand     `cmd:"" help:"The shared secret that requests carry in x-greenflash-secret."`
}

type createCommand struct {
	Product   string `help:"Id of the product that the events belong to." required:"" placeholder:"ID"`
	Workspace string `help:"Id of the workspace that owns the product." default:"default" placeholder:"ID"`
	Name      string `help:"A name for people."`
	Note      string `help:"A note for people."`
	Salts     int    `help:"Partitions for the product's messages, for a product that is too busy for one loader. One user's messages share a partition. At most the topic's number of partitions is used." default:"1" placeholder:"N"`
	Secret    string `help:"Shared secret that every request must carry in x-greenflash-secret; 8 characters at least." placeholder:"TEXT"`
}

// Run creates the connection.
func (c *createCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return on.with(ctx, func(ctx context.Context, store *connection.Store) error {
		params := connection.CreateParams{
			WorkspaceID: c.Workspace,
			ProductID:   c.Product,
			Name:        c.Name,
			Note:        c.Note,
			Salts:       c.Salts,
		}
		if c.Secret != "" {
			params.Secret = token.NewSecret(c.Secret)
		}
		made, err := store.Create(ctx, params)
		if err != nil {
			return err
		}
		return on.printURL(made, "Connection %s feeds product %s.")
	})
}

// urlShown is what is printed the one time that a URL exists.
type urlShown struct {
	ConnectionID string `json:"connection_id"`
	ProductID    string `json:"product_id"`
	WorkspaceID  string `json:"workspace_id"`
	URL          string `json:"url"`
	Token        string `json:"token"`
}

func (i *installation) printURL(made connection.Created, sentence string) error {
	c := &made.Connection
	out := urlShown{c.ID, c.ProductID, c.WorkspaceID, segmentURL(i.PublicURL, made.Token), made.Token.Reveal()}
	if i.Output == "json" {
		return printJSON(os.Stdout, out)
	}
	fmt.Printf(sentence+"\n\nIts URL is the secret, and is shown only now:\n\n  %s\n", c.ID, c.ProductID, out.URL)
	return nil
}

func segmentURL(base string, t token.Secret) string { return base + "/v1/segment/" + t.Reveal() }

// one names the connection that a command is about.
type one struct {
	ID string `arg:"" help:"Id of the connection, as \"millrace connections list\" shows it." placeholder:"ID"`
}

// change does something to the connection and shows what it is like then.
func (o *one) change(
	ctx context.Context,
	on *connectionsCommand,
	do func(*connection.Store, context.Context) error,
) error {
	return on.with(ctx, func(ctx context.Context, store *connection.Store) error {
		if err := do(store, ctx); err != nil {
			return o.explain(err)
		}
		return o.show(ctx, on, store)
	})
}

func (o *one) show(ctx context.Context, on *connectionsCommand, store *connection.Store) error {
	found, err := store.Find(ctx, o.ID)
	if err != nil {
		return o.explain(err)
	}
	return printOne(os.Stdout, on.Output, listedOf(&found))
}

func (o *one) explain(err error) error {
	if errors.Is(err, connection.ErrNotFound) {
		return fmt.Errorf("there is no connection %q: \"millrace connections list\" shows those there are", o.ID)
	}
	return err
}

type showCommand struct {
	one `embed:""`
}

// Run shows the connection.
func (c *showCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return on.with(ctx, func(ctx context.Context, store *connection.Store) error { return c.show(ctx, on, store) })
}

type pauseCommand struct {
	one `embed:""`
}

// Run pauses the connection.
func (c *pauseCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return c.change(
		ctx,
		on,
		func(s *connection.Store, ctx context.Context) error { _, err := s.Pause(ctx, c.ID); return err },
	)
}

type resumeCommand struct {
	one `embed:""`
}

// Run resumes the connection.
func (c *resumeCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return c.change(
		ctx,
		on,
		func(s *connection.Store, ctx context.Context) error { _, err := s.Resume(ctx, c.ID); return err },
	)
}

type disconnectCommand struct {
	one `embed:""`
}

// Run disconnects the connection.
func (c *disconnectCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return c.change(
		ctx,
		on,
		func(s *connection.Store, ctx context.Context) error { _, err := s.Disconnect(ctx, c.ID); return err },
	)
}

type saltsCommand struct {
	one    `embed:""`
	Number int `arg:"" name:"n" help:"Number of partitions; 1 is the product's own. A duplicate with another timestamp that is sent after the change may become a second event." placeholder:"N"`
}

// Run sets the number of partitions for the product's messages.
func (c *saltsCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return c.change(ctx, on, func(s *connection.Store, ctx context.Context) error {
		_, err := s.SetSalts(ctx, c.ID, c.Number)
		return err
	})
}

type rotateCommand struct {
	one `embed:""`
}

// Run replaces the URL.
func (c *rotateCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return on.with(ctx, func(ctx context.Context, store *connection.Store) error {
		made, err := store.Rotate(ctx, c.ID)
		if err != nil {
			return c.explain(err)
		}
		return on.printURL(made, "The old URL of connection %s, which feeds product %s, is refused from now on.")
	})
}

type deleteCommand struct {
	one `embed:""`
}

// Run deletes the connection.
func (c *deleteCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return on.with(ctx, func(ctx context.Context, store *connection.Store) error {
		if err := store.Delete(ctx, c.ID); err != nil {
			return c.explain(err)
		}
		if on.Output == "json" {
			return printJSON(os.Stdout, map[string]string{"connection_id": c.ID, "status": "deleted"})
		}
		fmt.Printf("Connection %s is deleted; its URL is refused from now on.\n", c.ID)
		return nil
	})
}

type secretCommand struct {
	Set   secretSetCommand   `cmd:"" help:"Require a shared secret, or replace the one there is."`
	Clear secretClearCommand `cmd:"" help:"Require none any more."`
}

type secretSetCommand struct {
	one    `embed:""`
	Secret string `arg:"" help:"The secret, 8 characters at least. Better given as MILLRACE_SECRET, where no list of processes shows it." env:"MILLRACE_SECRET" placeholder:"TEXT"`
}

// Run sets the secret.
func (c *secretSetCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return c.change(ctx, on, func(s *connection.Store, ctx context.Context) error {
		_, err := s.SetSecret(ctx, c.ID, token.NewSecret(c.Secret))
		return err
	})
}

type secretClearCommand struct {
	one `embed:""`
}

// Run clears the secret.
func (c *secretClearCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return c.change(
		ctx,
		on,
		func(s *connection.Store, ctx context.Context) error { _, err := s.ClearSecret(ctx, c.ID); return err },
	)
}
