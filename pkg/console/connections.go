package console

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

// connectionView is a connection as pages show it.
type connectionView struct {
	connection.Listed
	Traffic   Traffic
	HasSecret bool
}

// connectionsBody is the content of the list of connections.
type connectionsBody struct {
	Connections     []connectionView
	Find            string // search text
	More            int    // number of connections beyond maxConnections
	ClickHouseError string // set if counts from ClickHouse are missing
}

// maxConnections limits the connections on a page. Each is queried every second while the page is open.
const maxConnections = 200

func (c *Console) connections(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := pageContext(r)
	defer cancel()
	body, err := c.list(ctx, r.URL.Query().Get("find"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "connections", "connections", "Connections", body)
}

// list returns the connections whose name, product or id contains find. Counts are nil if ClickHouse does not answer.
func (c *Console) list(ctx context.Context, find string) (connectionsBody, error) {
	all, err := c.deps.Connections.List(ctx)
	if err != nil {
		return connectionsBody{}, err
	}
	body := connectionsBody{Find: find}
	known, unknown := c.traffic.get(ctx)
	if unknown != nil {
		body.ClickHouseError = unknown.Error()
	}
	find = strings.ToLower(find)
	for i := range all {
		if l := &all[i]; !strings.Contains(strings.ToLower(l.Name+"\n"+l.ProductID+"\n"+l.ID), find) {
			continue
		}
		if len(body.Connections) == maxConnections {
			body.More++
			continue
		}
		body.Connections = append(body.Connections, known.view(&all[i]))
	}
	return body, nil
}

// find returns one connection. The error is connection.ErrNotFound if it does not exist.
func (c *Console) find(ctx context.Context, id string) (connectionView, error) {
	found, err := c.deps.Connections.Find(ctx, id)
	if err != nil {
		return connectionView{}, err
	}
	known, _ := c.traffic.get(ctx) // missing counts are shown as unknown
	return known.view(&found), nil
}

// changesInterval is the interval at which an open page is checked for changes.
const changesInterval = time.Second

// connectionsChanges streams the cells of the list that have changed. No other part of the page moves.
func (c *Console) connectionsChanges(ctx context.Context, stream *eventStream, r *http.Request) {
	find, only := r.URL.Query().Get("find"), r.URL.Query().Get("id") // only: the id of a single connection
	known := map[string]string{}
	ticker := time.NewTicker(changesInterval)
	defer ticker.Stop()
	for {
		if cells, err := c.cells(ctx, find, only); err == nil { // after an error, the next tick tries again
			if changed := changedCells(known, cells); changed != "" && stream.send("cells", changed) != nil {
				return
			}
			known = cells
		}
		if stream.keepAlive() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// cells renders the changing parts of the list, by element id.
func (c *Console) cells(ctx context.Context, find, only string) (cells map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	var body connectionsBody
	if only != "" {
		body.Connections = make([]connectionView, 1)
		body.Connections[0], err = c.find(ctx, only)
	} else {
		body, err = c.list(ctx, find)
	}
	cells = map[string]string{}
	for i := range body.Connections {
		if err == nil {
			err = c.renderCells(&body.Connections[i], cells)
		}
	}
	return cells, err
}

func changedCells(known, cells map[string]string) string {
	if maps.Equal(known, cells) {
		return ""
	}
	var b strings.Builder
	for id, html := range cells {
		if known[id] != html {
			b.WriteString(html) // replaces the element with its id
		}
	}
	return b.String()
}

// renderCells adds the cells of one connection.
func (c *Console) renderCells(l *connectionView, cells map[string]string) error {
	for _, part := range [...]string{"status", "last", "rate", "dropped", "dead"} {
		html, err := c.fragment("connections", "cell-"+part, *l)
		if err != nil {
			return err
		}
		cells[part+"-"+l.ID] = html
	}
	return nil
}
