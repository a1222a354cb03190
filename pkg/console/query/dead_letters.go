package query

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Limits of a page of dead letters.
const (
	MaxDeadLetters = 100  // on a page
	maxExcerpt     = 1000 // characters of each message
)

// DeadLetterFilter selects dead letters by time of receipt, product, connection and reason.
type DeadLetterFilter struct {
	Filter
	Connection string // empty means all
	Reason     string // empty means all
}

func (f DeadLetterFilter) condition() string {
	condition := f.timeCondition("received_at")
	if f.Connection != "" {
		condition += " AND connection_id = {connection:String}"
	}
	if f.Reason != "" {
		condition += " AND reason = {reason:String}"
	}
	return condition
}

func (f DeadLetterFilter) parameters() parameters {
	p := f.Filter.parameters()
	p["connection"], p["reason"] = f.Connection, f.Reason
	return p
}

// Reasons has the number of dead letters by reason, most frequent first.
type Reasons struct {
	Reasons []Reason
	SQL     string
}

// Reason is a reason of dead letters.
type Reason struct {
	Code        string    `ch:"reason"`
	DeadLetters uint64    `ch:"letters"`
	Newest      time.Time `ch:"newest"` // time of receipt
}

// Reasons counts dead letters by reason.
func (c *Client) Reasons(ctx context.Context, f DeadLetterFilter) (Reasons, error) {
	rows, sql, err := run[Reason](ctx, c, `SELECT reason, count() AS letters, max(received_at) AS newest
FROM dead_letters FINAL WHERE `+f.condition()+` GROUP BY reason ORDER BY letters DESC, reason`, f.parameters())
	return Reasons{rows, sql}, err
}

// Coordinates identify a dead letter: its sorting key, which contains its position in Kafka.
type Coordinates struct {
	Product    string    `ch:"product_id"`
	ReceivedAt time.Time `ch:"received_at"`
	Topic      string    `ch:"kafka_topic"`
	Partition  int32     `ch:"kafka_partition"`
	Offset     int64     `ch:"kafka_offset"`
}

func (c Coordinates) addTo(p parameters) parameters {
	p["at_product"], p["at"], p["topic"] = c.Product, formatTime(c.ReceivedAt), c.Topic
	p["partition"], p["offset"] = strconv.Itoa(int(c.Partition)), strconv.FormatInt(c.Offset, 10)
	return p
}

// DeadLetter is a dead letter with the beginning of its message.
type DeadLetter struct {
	Coordinates
	Workspace  string `ch:"workspace_id"`
	Connection string `ch:"connection_id"`
	Source     string `ch:"source"`
	Reason     string `ch:"reason"`
	Detail     string `ch:"detail"`
	Message    string `ch:"excerpt"` // as received, possibly invalid UTF-8
	Bytes      uint64 `ch:"bytes"`   // length of the whole message
	Origin     string `ch:"origin"`  // earlier topic/partition/offset, if it was accepted
}

const deadLetterColumns = `product_id, received_at, kafka_topic, kafka_partition, kafka_offset, workspace_id, connection_id, source, reason, detail, origin, length(message) AS bytes`

// DeadLetters is a page of dead letters.
type DeadLetters struct {
	DeadLetters []DeadLetter
	Next        *Coordinates // last row of this page; nil on the last page
	SQL         string
}

// DeadLetters returns the newest dead letters, or those after a page's Next. limit is at most MaxDeadLetters.
func (c *Client) DeadLetters(
	ctx context.Context,
	f DeadLetterFilter,
	after *Coordinates,
	limit int,
) (DeadLetters, error) {
	limit = min(max(limit, 1), MaxDeadLetters)
	p := f.parameters()
	p["limit"], p["excerpt"] = strconv.Itoa(limit+1), strconv.Itoa(maxExcerpt)
	condition := f.condition()
	if after != nil {
		after.addTo(p)
		condition += fmt.Sprintf(
			` AND received_at <= {at:%s} AND (received_at, kafka_topic, kafka_partition, kafka_offset) < ({at:%[1]s}, {topic:String}, {partition:Int32}, {offset:Int64})`,
			dateTime,
		)
	}
	rows, sql, err := run[DeadLetter](
		ctx,
		c,
		`SELECT `+deadLetterColumns+`, leftUTF8(message, {excerpt:UInt32}) AS excerpt
FROM dead_letters FINAL WHERE `+condition+`
ORDER BY received_at DESC, kafka_topic DESC, kafka_partition DESC, kafka_offset DESC LIMIT {limit:UInt8}`,
		p,
	)
	page := DeadLetters{DeadLetters: rows, SQL: sql}
	if len(rows) > limit {
		page.DeadLetters, page.Next = rows[:limit], &rows[limit-1].Coordinates
	}
	return page, err
}
