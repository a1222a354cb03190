package console

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

// listed is a connection as the list has it.
type listed struct {
	connection.Listed
	Traffic   Traffic
	HasSecret bool
}

// connectionsBody is the page of all connections.
type connectionsBody struct {
	Connections []listed
	Unknown     string // why ClickHouse's counts are not there
}

func (c *Console) connections(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bounded(r)
	defer cancel()
	body, err := c.list(ctx)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "connections", "connections", "Connections", body)
}

// list is all connections, with what ClickHouse knows of them if it answers.
func (c *Console) list(ctx context.Context) (connectionsBody, error) {
	all, err := c.deps.Connections.List(ctx)
	if err != nil {
		return connectionsBody{}, err
	}
	minute, err := c.traffic.minute.get(ctx)
	day, dayErr := c.traffic.day.get(ctx)
	body := connectionsBody{}
	if err := cmp.Or(err, dayErr); err != nil {
		body.Unknown = err.Error()
	}
	for i := range all {
		body.Connections = append(body.Connections, listed{Listed: all[i], Traffic: trafficOf(minute, day, all[i].ID), HasSecret: !all[i].SecretHash.IsZero()})
	}
	return body, nil
}

// find is one of them.
func (c *Console) find(ctx context.Context, id string) (listed, error) {
	body, err := c.list(ctx)
	if err != nil {
		return listed{}, err
	}
	for _, l := range body.Connections {
		if l.ID == id {
			return l, nil
		}
	}
	return listed{}, connection.ErrNotFound
}

// changesEvery is how often the list is looked at for changes while somebody sees it.
const changesEvery = time.Second

// connectionsChanges sends the cells of the list that are not what they were: nothing that somebody reads or is about to press moves.
func (c *Console) connectionsChanges(w http.ResponseWriter, r *http.Request) {
	stream, ctx, stop := c.stream(w, r)
	defer stop()
	only := r.URL.Query().Get("id") // of one connection, on its own page
	known := map[string]string{}
	ticker := time.NewTicker(changesEvery)
	defer ticker.Stop()
	for {
		cells, err := c.cells(ctx, only)
		if err == nil {
			if changed := changedCells(known, cells); changed != "" {
				err = stream.send("cells", changed)
				if err != nil {
					return
				}
			}
			known = cells
		}
		if stream.alive() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// cells are the changing parts of the list, by their element's id.
func (c *Console) cells(ctx context.Context, only string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	body, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	cells := map[string]string{}
	for _, l := range body.Connections {
		if only != "" && l.ID != only {
			continue
		}
		if err := c.cellsOf(&l, cells); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

func changedCells(known, cells map[string]string) string {
	if maps.Equal(known, cells) {
		return ""
	}
	var b strings.Builder
	for id, html := range cells {
		if known[id] != html {
			b.WriteString(html) // it takes the place of the element of its id
		}
	}
	return b.String()
}

// cellsOf adds those of one connection.
func (c *Console) cellsOf(l *listed, cells map[string]string) error {
	for _, part := range [...]string{"status", "last", "rate", "dropped", "dead"} {
		html, err := c.fragment("connections", "cell-"+part, *l)
		if err != nil {
			return err
		}
		cells[part+"-"+l.ID] = html
	}
	return nil
}
