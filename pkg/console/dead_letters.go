package console

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/millrace/millrace/pkg/console/query"
)

// parseRange returns the range of a page: a preset, or from … until. usual is the default preset.
func parseRange(q url.Values, usual string) (query.Range, string, error) {
	from, until := q.Get("from"), q.Get("until")
	if from == "" && until == "" {
		preset := q.Get("range")
		if preset == "" {
			preset = usual
		}
		r, err := query.Last(preset, time.Now())
		if err != nil {
			err = inputError(err.Error())
		}
		return r, preset, err
	}
	begin, err := parseTime(from)
	if err != nil {
		return query.Range{}, "", err
	}
	end, err := parseTime(until)
	if err != nil {
		return query.Range{}, "", err
	}
	r, err := query.Between(begin, end)
	if err != nil {
		err = inputError(err.Error())
	}
	return r, "", err
}

// parseTime parses a datetime-local value as UTC; empty means now.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, inputError("write a time as 2026-05-18T12:00, in UTC")
}

// deadLettersBody is the content of the page of dead letters.
type deadLettersBody struct {
	rangeForm
	Filter      query.DeadLetterFilter
	Reasons     query.Reasons
	DeadLetters query.DeadLetters
	Help        string
	Next        string // query string of the next page
}

const deadLettersPerPage = 25

func (c *Console) deadLetters(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	within, preset, err := parseRange(q, "24h")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	body := deadLettersBody{
		rangeForm: newRangeForm(Base+"/dead-letters", q, within, preset),
		Filter: query.DeadLetterFilter{
			Filter:     query.Filter{Range: within, Product: q.Get("product")},
			Connection: q.Get("connection"),
			Reason:     q.Get("reason"),
		},
	}
	ctx, cancel := pageContext(r)
	defer cancel()
	if err := c.readDeadLetters(ctx, &body, q); err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "dead-letters", "dead-letters", "Dead letters", &body)
}

func (c *Console) readDeadLetters(ctx context.Context, body *deadLettersBody, q url.Values) (err error) {
	every := body.Filter
	every.Reason = ""
	if body.Reasons, err = c.deps.Query.Reasons(ctx, every); err != nil {
		return err
	}
	if body.Filter.Reason == "" {
		return nil
	}
	body.Help = helpFor(body.Filter.Reason)
	after, err := parseCursor(q)
	if err != nil {
		return err
	}
	if body.DeadLetters, err = c.deps.Query.DeadLetters(ctx, body.Filter, after, deadLettersPerPage); err != nil {
		return err
	}
	if next := body.DeadLetters.Next; next != nil {
		q = maps.Clone(q)
		q.Set("after", next.ReceivedAt.UTC().Format(time.RFC3339Nano))
		q.Set("topic", next.Topic)
		q.Set("partition", strconv.Itoa(int(next.Partition)))
		q.Set("offset", strconv.FormatInt(next.Offset, 10))
		body.Next = q.Encode()
	}
	return nil
}

func parseCursor(q url.Values) (*query.Coordinates, error) {
	if q.Get("after") == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339Nano, q.Get("after"))
	if err != nil {
		return nil, inputError("the address of this page is malformed")
	}
	partition, err := strconv.ParseInt(q.Get("partition"), 10, 32)
	if err != nil {
		return nil, inputError("the address of this page is malformed")
	}
	offset, err := strconv.ParseInt(q.Get("offset"), 10, 64)
	if err != nil {
		return nil, inputError("the address of this page is malformed")
	}
	return &query.Coordinates{ReceivedAt: at, Topic: q.Get("topic"), Partition: int32(partition), Offset: offset}, nil
}

// helpByReason says what to do about dead letters of a reason. Reasons of the API that name a field share helpFor's
// default.
var helpByReason = map[string]string{
	"missing_event":         "A track message needs an event name in event, or gf_event_type in its properties. Correct the sender and send it again.",
	"invalid_properties":    "properties must be an object. Correct the sender and send it again.",
	"not_a_message":         "A Segment message is an object with a type. Another program posts to this URL, or a Segment function builds wrong batches.",
	"unknown_type":          "Segment's types are track, page, screen, identify, group, alias and delete, in lower case. Correct the sender and send it again.",
	"message_too_large":     "It exceeds the edge's limit for one message (--max-message-bytes). Send smaller properties, or raise the limit and send it again.",
	"mapper_bug":            "The mapping failed: this is a bug of Millrace. Report it with the message, and replay this reason after the fix.",
	"unknown_kind":          "Another program writes to the topic, or the edge is newer than the loader. Update the loaders and replay this reason.",
	"invalid_json":          "It is not JSON. Only another program than the edge can have written it to the topic.",
	"invalid_utf8":          "It is not UTF-8. Only another program than the edge can have written it to the topic.",
	"nested_too_deeply":     "It is nested too deeply. Only another program than the edge can have written it to the topic.",
	"refused_by_clickhouse": "ClickHouse refuses the row; the detail says why. Fix the cause and replay this reason.",
}

func helpFor(reason string) string {
	if help := helpByReason[reason]; help != "" || reason == "" {
		return help
	}
	return "The detail names the invalid field. Correct the sender and send it again."
}
