package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/millrace/millrace/pkg/console/query"
	"github.com/millrace/millrace/pkg/console/tail"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
)

// messageBody is the content of a message's page.
type messageBody struct {
	tail.Message
	Text    string // the message, indented
	Context string // the batch's context
	Fields  []mapping.Explained
	Stage   stage
	Help    string // advice for a dead letter's reason
	Origin  string // earlier coordinates of a dead letter
}

// message shows a record of the log: its bytes and its event.
func (c *Console) message(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := pageContext(r)
	defer cancel()
	body, err := c.readMessage(ctx, r.URL.Query().Get("at"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	title := short(body.EventType)
	if title == "" {
		title = "Message"
	}
	c.show(w, r, http.StatusOK, "message", "connections", title, body)
}

func (c *Console) readMessage(ctx context.Context, at string) (body messageBody, err error) {
	position, ok := stream.ParseCoordinates([]byte(at))
	topics := c.deps.Stream.Topics()
	if !ok || position.Offset < 0 || position.Topic != topics.Ingest && position.Topic != topics.DeadLetters {
		return body, inputError(
			fmt.Sprintf("coordinates are topic/partition/offset, of %s or %s", topics.Ingest, topics.DeadLetters),
		)
	}
	if there, err := c.deps.Stream.OffsetRangesOf(ctx, []stream.Position{position}); err != nil || len(there) == 0 {
		return body, cmp.Or(err, inputError("Kafka has no record at "+at))
	}
	entry, err := c.deps.Stream.Read(ctx, position.Partition, position.Offset)
	if errors.Is(err, stream.ErrRecordDeleted) {
		return body, inputError("Kafka has deleted the record at " + at)
	}
	if err != nil {
		return body, err
	}
	body.Message, body.Fields = tail.Explain(position.Partition, &entry)
	body.Text, body.Context, body.Origin = tail.Indent(entry.Value), tail.Indent(entry.Context), string(entry.Origin)
	body.Help = helpFor(body.Reason)
	if !body.IsEvent() {
		return body, nil
	}
	rows, err := c.deps.Query.Stored(ctx, []query.Key{keyOf(&body.Message)})
	if row, stored := rows[keyOf(&body.Message)]; err == nil && stored {
		body.Stage = stageOf(&row)
	}
	return body, nil
}
