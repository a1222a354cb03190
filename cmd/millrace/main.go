// Command millrace is the tool in the operator's hand.
package main

import (
	"context"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/pkg/cli"
	"github.com/millrace/millrace/pkg/embedded"
)

type flags struct {
	Version kong.VersionFlag `help:"Show version, commit, Go version and schema, and exit." env:"-"`

	Up          upCommand          `cmd:"" help:"Run everything in one place: a broker, ClickHouse, the edge and the loader."`
	Connections connectionsCommand `cmd:"" help:"The secret URLs that feed products."`
	Console     consoleCommand     `cmd:"" help:"Millrace in a browser: connect sources, watch messages arrive, see what came of them."`
	Doctor      doctorCommand      `cmd:"" help:"Look at everything that edges and loaders need, and say what to change."`
	Replay      replayCommand      `cmd:"" help:"Map messages that Kafka still has once more, after a fix or a loss."`
	Migrate     migrateCommand     `cmd:"" help:"Create the tables and views in ClickHouse, or bring them up to date."`
	Topics      topicsCommand      `cmd:"" help:"Create the topics in Kafka that are missing. Edges and loaders do so too, each at its start."`
	SQL         sqlCommand         `cmd:"" name:"sql" help:"Ask ClickHouse in SQL."`
}

const description = `Millrace takes Segment's webhooks, keeps each message safe in Kafka, and makes events of them in ClickHouse.

Start here: "millrace up", then post to the URL it prints, then "millrace sql 'SELECT * FROM outcomes'".
Every flag has an environment variable: MILLRACE_ and its name in capitals, with _ for -.`

func main() {
	embedded.RunChild()
	var c flags
	cli.Main(&c, "millrace", description, func(ctx context.Context, parsed *kong.Context) error {
		parsed.BindTo(ctx, (*context.Context)(nil))
		return parsed.Run(parsed)
	})
}
