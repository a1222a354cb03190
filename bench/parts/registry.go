//go:build linux

package parts

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

// makingAtOnce keeps the broker busy where hashes cost nothing.
const makingAtOnce = 64

// Connect makes a connection for each of the products, before any edge runs, and returns the paths to post to.
func Connect(ctx context.Context, client *stream.Client, key token.Key, products ...string) (paths []string, err error) {
	return connect(ctx, client, key, token.DefaultCost, nil, products)
}

// ConnectSalted is Connect with products that are spread over several partitions.
func ConnectSalted(ctx context.Context, client *stream.Client, key token.Key, salts map[string]int, products ...string) (paths []string, err error) {
	return connect(ctx, client, key, token.DefaultCost, salts, products)
}

// ConnectAt is Connect with hashes of another cost.
func ConnectAt(ctx context.Context, client *stream.Client, key token.Key, cost token.Cost, products ...string) (paths []string, err error) {
	return connect(ctx, client, key, cost, nil, products)
}

func connect(ctx context.Context, client *stream.Client, key token.Key, cost token.Cost, salts map[string]int, products []string) (paths []string, err error) {
	if err := client.AwaitTopics(ctx); err != nil {
		return nil, err
	}
	log := client.ConnectionsTopic()
	registry := connection.NewRegistry(log, connection.NewMetrics(nil))
	following, stop := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() { followed <- registry.Run(following) }()
	defer func() { stop(); err = errors.Join(err, <-followed) }()
	store := connection.NewStore(connection.StoreConfig{Key: key, Log: log, Registry: registry, Cost: cost, Settle: time.Millisecond})
	paths = make([]string, len(products))
	making, ctx := errgroup.WithContext(ctx)
	making.SetLimit(makingAtOnce)
	for i, product := range products {
		making.Go(func() error {
			made, err := store.Create(ctx, connection.CreateParams{WorkspaceID: traffic.Workspace, ProductID: product, Name: product, Salts: salts[product]})
			if err != nil {
				return fmt.Errorf("connect %s: %w", product, err)
			}
			paths[i] = "/v1/segment/" + made.Token.Reveal()
			return nil
		})
	}
	return paths, making.Wait()
}
