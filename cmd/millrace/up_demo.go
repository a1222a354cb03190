package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

// demoConnection is the connection that a data folder starts with. Its token is derived from the folder's
// key and the connection's id, so that a second start can show the same URL though no token is stored.
type demoConnection struct {
	ID, Product string
	Token       token.Secret
}

const (
	demoFile    = "demo-connection"
	demoProduct = "demo"
)

func (p *parts) demoOf(id string) demoConnection {
	return demoConnection{ID: id, Product: demoProduct, Token: p.key.Derive(id, demoProduct)}
}

// demo returns the folder's demo connection. One that was rotated or deleted is its owner's business, and
// a new one takes its place.
func (p *parts) demo(ctx context.Context) (d demoConnection, err error) {
	file := filepath.Join(p.command.Data, demoFile)
	id, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("read the demo connection: %w", err)
	}
	err = withStore(ctx, p.stream, p.key, func(ctx context.Context, store *connection.Store) error {
		if token.ValidConnectionID(string(id)) {
			d = p.demoOf(string(id))
			c, err := store.Get(ctx, d.ID)
			if err != nil {
				return err
			}
			if c != nil {
				current, err := token.Verify(c.TokenHash, []byte(d.Token.Reveal()))
				if err != nil || current {
					return err
				}
			}
		}
		d = p.demoOf(token.NewConnectionID())
		_, err := store.Create(
			ctx,
			connection.CreateParams{
				ProductID: d.Product,
				Name:      demoProduct,
				Note:      "made by millrace up",
				Token:     d.Token,
			},
		)
		if err != nil {
			return err
		}
		return writeRenamed(file, []byte(d.ID))
	})
	return d, err
}
