//go:build linux

package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

// Connections describes connections to create, one for each product.
type Connections struct {
	Products []string
	Salts    map[string]int // partitions of a product, where it has more than one
	Cost     token.Cost     // of the hashes; zero is the default cost
}

// createConcurrency keeps the broker busy where hashes cost nearly nothing.
const createConcurrency = 64

// Create creates the connections and returns the paths to post to, in the order of the products.
func (c *Connections) Create(ctx context.Context, client *stream.Client, key token.Key) (paths []string, err error) {
	if err := client.AwaitTopics(ctx); err != nil {
		return nil, err
	}
	cost := c.Cost
	if cost == (token.Cost{}) {
		cost = token.DefaultCost
	}
	log := client.ConnectionsTopic()
	registry := connection.NewRegistry(log, connection.NewMetrics(nil))
	following, stop := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() { followed <- registry.Run(following) }()
	defer func() { stop(); err = errors.Join(err, <-followed) }()
	store := connection.NewStore(connection.StoreConfig{
		Key: key, Log: log, Registry: registry, Cost: cost, Settle: time.Millisecond,
	})
	paths = make([]string, len(c.Products))
	creating, ctx := errgroup.WithContext(ctx)
	creating.SetLimit(createConcurrency)
	for i, product := range c.Products {
		creating.Go(func() error {
			created, err := store.Create(ctx, connection.CreateParams{
				WorkspaceID: traffic.Workspace, ProductID: product, Name: product, Salts: c.Salts[product],
			})
			if err != nil {
				return fmt.Errorf("create the connection of %s: %w", product, err)
			}
			paths[i] = "/v1/segment/" + created.Token.Reveal()
			return nil
		})
	}
	return paths, creating.Wait()
}
