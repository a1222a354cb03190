package console

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/connection"
)

// connectionView is a connection as the list has it.
type connectionView struct {
	connection.Listed
	Traffic   Traffic
	HasSecret bool
}

// connectionsBody is the page of connections.
type connectionsBody struct {
	Connections     []connectionView
	Find            string // what names, products and ids were searched for
	More            int    // connections that are not shown
	ClickHouseError string // why ClickHouse's counts are not there
}

// maxConnections bounds the connections on a page, each of which is looked at every second while somebody sees it.
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

// list is the connections whose name, product or id has a text in it, with what ClickHouse knows of them if it answers.
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

// find is one of them.
func (c *Console) find(ctx context.Context, id string) (connectionView, error) {
	found, err := c.deps.Connections.Find(ctx, id)
	if err != nil {
		return connectionView{}, err
	}
	known, _ := c.traffic.get(ctx) // what is not known is shown as such
	return known.view(&found), nil
}

// changesInterval is how often the list is looked at for changes while somebody sees it.
const changesInterval = time.Second

// connectionsChanges sends the cells of the list that are not what they were: nothing that somebody reads or is about to press moves.
func (c *Console) connectionsChanges(ctx context.Context, stream *eventStream, r *http.Request) {
	find, only := r.URL.Query().Get("find"), r.URL.Query().Get("id") // only: of one connection, on its own page
	known := map[string]string{}
	ticker := time.NewTicker(changesInterval)
	defer ticker.Stop()
	for {
		if cells, err := c.cells(ctx, find, only); err == nil { // else it is asked again in a second
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

// cells are the changing parts of the list, by their element's id.
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
			b.WriteString(html) // it takes the place of the element of its id
		}
	}
	return b.String()
}

// renderCells adds those of one connection.
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
