package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

type listCommand struct{}

// listed is a connection as "list" prints it.
type listed struct {
	ConnectionID string     `json:"connection_id"`
	ProductID    string     `json:"product_id"`
	WorkspaceID  string     `json:"workspace_id"`
	Name         string     `json:"name"`
	Note         string     `json:"note"`
	Status       string     `json:"status"`
	Salts        int        `json:"salts"`
	HasSecret    bool       `json:"has_secret"`
	CreatedAt    time.Time  `json:"created_at"`
	FirstEventAt *time.Time `json:"first_event_at"`
	LastEventAt  *time.Time `json:"last_event_at"`

	Totals connection.Counts `json:"totals"`
}

// Run lists the connections.
func (*listCommand) Run(ctx context.Context, on *connectionsCommand) error {
	return on.with(ctx, func(ctx context.Context, store *connection.Store) error {
		all, err := store.List(ctx)
		if err != nil {
			return err
		}
		out := make([]listed, 0, len(all))
		for i := range all {
			out = append(out, listedOf(&all[i]))
		}
		if on.Output == "json" {
			return printJSON(os.Stdout, out)
		}
		return printTable(os.Stdout, out)
	})
}

func listedOf(l *connection.Listed) listed {
	return listed{
		l.ID, l.ProductID, l.WorkspaceID, l.Name, l.Note, string(l.Status), l.Salts, !l.SecretHash.IsZero(),
		l.CreatedAt, optional(l.FirstEventAt), optional(l.LastEventAt), l.Totals,
	}
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
	fmt.Fprintln(table, "CONNECTION\tPRODUCT\tWORKSPACE\tSTATUS\tSALTS\tCREATED\tLAST EVENT\tNAME")
	for i := range all {
		l := &all[i]
		fmt.Fprintf(
			table,
			"%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n",
			l.ConnectionID,
			l.ProductID,
			l.WorkspaceID,
			l.Status,
			l.Salts,
			l.CreatedAt.Format(time.DateTime),
			moment(l.LastEventAt),
			l.Name,
		)
	}
	return table.Flush()
}

func partitions(n int) string {
	if n == 1 {
		return "1 partition"
	}
	return fmt.Sprintf("%d partitions", n)
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.DateTime)
}

func printOne(w io.Writer, output string, l listed) error {
	if output == "json" {
		return printJSON(w, l)
	}
	secret := "none"
	if l.HasSecret {
		secret = "required in x-greenflash-secret"
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"Connection", l.ConnectionID},
		{"Product", l.ProductID},
		{"Workspace", l.WorkspaceID},
		{"Name", l.Name},
		{"Note", l.Note},
		{"Status", l.Status},
		{"Salts", partitions(l.Salts)},
		{"Shared secret", secret},
		{"Created", l.CreatedAt.Format(time.DateTime)},
		{"First event", moment(l.FirstEventAt)},
		{"Last event", moment(l.LastEventAt)},
		{"Messages", fmt.Sprintf("%d accepted, %d dropped for their type, %d dead letters", l.Totals.Accepted, l.Totals.Ignored, l.Totals.Dead)},
		{"While paused", fmt.Sprintf("%d requests dropped", l.Totals.Paused)},
	} {
		fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}
	return table.Flush()
}
