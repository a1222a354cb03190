// Command bareloader is the minimum that can fill the events table. It builds real blocks of the topic's messages in
// memory and sends them to ClickHouse over a few connections when it gets a request. Meanwhile it reads no Kafka, maps
// nothing, resolves no users and commits nothing.
package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

type flags struct {
	HTTP       string    `required:"" help:"Address that listens when the blocks are built; a request to it sends them."`
	ClickHouse string    `name:"clickhouse" required:"" help:"ClickHouse's native address."`
	Database   string    `required:"" help:"Database of the events table."`
	Seed       uint64    `required:"" help:"Seed of the traffic."`
	Products   int       `required:""`
	Users      int       `required:""`
	Start      time.Time `required:""`
	Every      time.Duration
	Events     int `required:"" help:"Number of events."`
	Partitions int `required:"" help:"Partitions of the topic that the rows name."`
	Block      int `default:"100000" help:"Rows of a block."`
	Streams    int `default:"2" help:"Blocks sent concurrently."`
}

func main() {
	var c flags
	const description = "Sends blocks of events to ClickHouse, with nothing else."
	cli.Main(&c, "bareloader", description, func(ctx context.Context, _ *kong.Context) error { return c.run(ctx) })
}

func (c *flags) run(ctx context.Context) error {
	blocks := make([]*warehouse.Events, (c.Events+c.Block-1)/c.Block)
	var making errgroup.Group
	making.SetLimit(c.Streams)
	for i := range blocks {
		making.Go(func() (err error) {
			blocks[i], err = c.build(i*c.Block, min((i+1)*c.Block, c.Events))
			return err
		})
	}
	if err := making.Wait(); err != nil {
		return err
	}
	inserter, err := warehouse.NewInserter(warehouse.Config{
		ClickHouse: c.ClickHouse, Database: c.Database, User: "default",
		Compression: "none", Timeout: time.Minute, Inserts: c.Streams,
	})
	if err != nil {
		return err
	}
	send := func(w http.ResponseWriter, r *http.Request) {
		if err := c.send(r.Context(), inserter, blocks); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	server := &http.Server{Addr: c.HTTP, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(send)}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // the process ends
	return server.ListenAndServe()
}

// build builds the block of messages first to last−1, with the users and organizations that its rows name.
func (c *flags) build(first, last int) (*warehouse.Events, error) {
	writer := traffic.New(traffic.Config{
		Seed: c.Seed, Products: c.Products, Users: c.Users, EventsOnly: true, Start: c.Start, Every: c.Every,
	})
	block, mapper := warehouse.NewEvents(), mapping.Mapper{}
	var raw []byte
	var result mapping.Result
	kind, provider := []byte(mapping.KindEvent), []byte(mapping.ProviderSegment)
	origin := warehouse.Origin{
		Workspace: []byte(traffic.Workspace), Provider: []byte(stream.ProviderSegment), Topic: "bare",
	}
	for n := first; n < last; n++ {
		var product int
		raw, product = writer.Append(raw[:0], uint64(n))
		name := traffic.Product(product)
		origin.Product, origin.Connection = []byte(name), []byte("c-"+name)
		origin.Partition, origin.Offset = stream.PartitionOf(traffic.Workspace, name, int32(c.Partitions)), int64(n)
		origin.ReceivedAt = c.Start.Add(time.Duration(n) * c.Every).UnixMicro()
		if err := mapper.MapRecord(
			kind,
			provider,
			&mapping.Message{Raw: raw, ReceivedAt: origin.ReceivedAt},
			&result,
		); err != nil {
			return nil, err
		}
		block.Append(&result.Event, &origin)
	}
	for s := block.EntityRows(); s.Next(); {
		if s.ExternalUserID != nil {
			block.SetUser(s.Row, identity.UserID(s.Workspace, s.ExternalUserID))
		}
		if s.ExternalOrganizationID != nil {
			block.SetOrganization(s.Row, identity.OrganizationID(s.Workspace, s.ExternalOrganizationID))
		}
	}
	return block, nil
}

func (c *flags) send(ctx context.Context, inserter *warehouse.Inserter, blocks []*warehouse.Events) error {
	sending, ctx := errgroup.WithContext(ctx)
	sending.SetLimit(c.Streams)
	for i, block := range blocks {
		sending.Go(func() error { return inserter.Insert(ctx, block, "bare-"+strconv.Itoa(i)) })
	}
	return sending.Wait()
}
