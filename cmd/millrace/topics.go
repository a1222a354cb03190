package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/pkg/stream"
)

type topicsCommand struct {
	Stream stream.Config `embed:""`
}

// Run creates the topics that are missing.
func (c *topicsCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	client, err := stream.NewClient(c.Stream, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("%w: check --brokers", err)
	}
	if err := client.EnsureTopics(ctx); err != nil {
		return err
	}
	topics := client.Topics()
	fmt.Printf("topics %s, %s and %s are there\n", topics.Ingest, topics.Connections, topics.DeadLetters)
	return nil
}
