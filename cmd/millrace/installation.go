package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/token"
)

// installation says which Millrace a command is for.
type installation struct {
	Data      string `help:"Data folder of a running \"up\"; not looked at when --brokers is set." default:"./data" placeholder:"DIR"`
	PublicURL string `help:"Where senders reach the edge, with --brokers." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Output    string `help:"text for people, json for programs." enum:"text,json" default:"text"`

	Key    credential.TokenKey `embed:""`
	Stream stream.Config       `embed:""`
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
func withStore(
	ctx context.Context,
	client *stream.Client,
	key token.Key,
	act func(context.Context, *connection.Store) error,
) error {
	log := client.ConnectionsTopic()
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
		return cli.TokenKey(&i.Key)
	}
	s, err := readState(i.Data)
	if err != nil {
		return token.Key{}, err
	}
	i.Stream.Brokers, i.PublicURL = []string{s.Kafka}, s.URL
	return readKey(i.Data)
}
