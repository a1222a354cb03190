package console

import (
	"context"
	"html/template"
	"net/http"
	"net/url"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/tail"
)

// connectionBody is the content of a connection's page.
type connectionBody struct {
	Connection connectionView
	Filter     tail.Filter
	Query      string // query string of the stream: the filter
	Test       string // default test message
	KnowsURL   bool   // the token is cached, so a test needs no URL
}

func filterOf(r *http.Request) tail.Filter {
	q := r.URL.Query()
	return tail.Filter{EventType: q.Get("type"), Influence: q.Get("influence"), User: q.Get("user")}
}

func (c *Console) connection(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := pageContext(r)
	defer cancel()
	found, err := c.find(ctx, r.PathValue("id"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f := filterOf(r)
	query := ""
	if f != (tail.Filter{}) {
		query = url.Values{"type": {f.EventType}, "influence": {f.Influence}, "user": {f.User}}.Encode()
	}
	c.show(w, r, http.StatusOK, "connection", "connections", nameOf(&found.Connection), connectionBody{
		Connection: found, Filter: f, Test: testMessage(), KnowsURL: !c.tokens.get(found.ID).IsZero(),
		Query: query,
	})
}

func nameOf(c *connection.Connection) string {
	if c.Name != "" {
		return c.Name
	}
	return c.ProductID
}

// connectionMessages streams the connection's messages as they arrive, or a sample of them.
func (c *Console) connectionMessages(ctx context.Context, stream *eventStream, r *http.Request) {
	found, err := c.deps.Connections.Find(ctx, r.PathValue("id"))
	if err != nil {
		_ = stream.send(
			"summary",
			"This connection cannot be read: "+template.HTMLEscapeString(err.Error()),
		) // the browser may have disconnected
		return
	}
	watch, err := tail.Follow(
		ctx,
		c.deps.Stream,
		found.ID,
		found.WorkspaceID,
		found.ProductID,
		found.Salts,
		filterOf(r),
	)
	if err != nil {
		_ = stream.send("summary", "Kafka does not answer. Retrying …") // the browser may have disconnected
		return
	}
	defer watch.Close()
	show := &messageFeed{
		console:    c,
		stream:     stream,
		connection: found.ID,
		product:    found.ProductID,
		filter:     filterOf(r),
		seen:       map[string]struct{}{},
	}
	for ctx.Err() == nil {
		sample, err := watch.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			sample = tail.Sample{}
		}
		c.metrics.shown.Add(float64(len(sample.Messages)))
		c.metrics.leftOut.Add(float64(sample.Skipped + int64(sample.Matched-len(sample.Messages))))
		if show.update(ctx, &sample, err) != nil || stream.keepAlive() != nil {
			return
		}
	}
}
