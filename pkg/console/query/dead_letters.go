package query

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Bounds of what is shown of dead letters.
const (
	MaxDeadLetters = 100  // on a page
	maxExcerpt     = 1000 // characters of each of their messages
)

// DeadLetterFilter says which dead letters are meant. They are of the range in which they were received.
type DeadLetterFilter struct {
	Filter
	Connection string // "" is all of them
	Reason     string // "" is all of them
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

// Reasons are dead letters by reason, the most frequent first.
type Reasons struct {
	Reasons []Reason
	SQL     string
}

// Reason is why messages could not become events.
type Reason struct {
	Code        string    `ch:"reason"`
	DeadLetters uint64    `ch:"letters"`
	Newest      time.Time `ch:"newest"` // received
}

// Reasons counts dead letters.
func (c *Client) Reasons(ctx context.Context, f DeadLetterFilter) (Reasons, error) {
	rows, sql, err := run[Reason](ctx, c, `SELECT reason, count() AS letters, max(received_at) AS newest
FROM dead_letters FINAL WHERE `+f.condition()+` GROUP BY reason ORDER BY letters DESC, reason`, f.parameters())
	return Reasons{rows, sql}, err
}

// Coordinates are by what a dead letter is found: its sorting key, which ends in where it is in Kafka.
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

// DeadLetter is one dead letter. A page has the beginning of its message only.
type DeadLetter struct {
	Coordinates
	Workspace  string `ch:"workspace_id"`
	Connection string `ch:"connection_id"`
	Source     string `ch:"source"`
	Reason     string `ch:"reason"`
	Detail     string `ch:"detail"`
	Message    string `ch:"excerpt"` // as it came: it need not even be UTF-8
	Bytes      uint64 `ch:"bytes"`   // of all of the message
	Origin     string `ch:"origin"`  // topic/partition/offset where it lay before, if it had been accepted
}

const deadLetterColumns = `product_id, received_at, kafka_topic, kafka_partition, kafka_offset, workspace_id, connection_id, source, reason, detail, origin, length(message) AS bytes`

// DeadLetters is a page of dead letters.
type DeadLetters struct {
	DeadLetters []DeadLetter
	Next        *Coordinates // after which the next page begins; nil if this was the last
	SQL         string
}

// DeadLetters are the newest, or those that come after a page's Next. limit is at most MaxLetters.
func (c *Client) DeadLetters(ctx context.Context, f DeadLetterFilter, after *Coordinates, limit int) (DeadLetters, error) {
	limit = min(max(limit, 1), MaxDeadLetters)
	p := f.parameters()
	p["limit"], p["excerpt"] = strconv.Itoa(limit+1), strconv.Itoa(maxExcerpt)
	condition := f.condition()
	if after != nil {
		after.addTo(p)
		condition += fmt.Sprintf(` AND received_at <= {at:%s} AND (received_at, kafka_topic, kafka_partition, kafka_offset) < ({at:%[1]s}, {topic:String}, {partition:Int32}, {offset:Int64})`, dateTime)
	}
	rows, sql, err := run[DeadLetter](ctx, c, `SELECT `+deadLetterColumns+`, leftUTF8(message, {excerpt:UInt32}) AS excerpt
FROM dead_letters FINAL WHERE `+condition+`
ORDER BY received_at DESC, kafka_topic DESC, kafka_partition DESC, kafka_offset DESC LIMIT {limit:UInt8}`, p)
	page := DeadLetters{DeadLetters: rows, SQL: sql}
	if len(rows) > limit {
		page.DeadLetters, page.Next = rows[:limit], &rows[limit-1].Coordinates
	}
	return page, err
}
