package traffic

import (
	"time"
)

// Body is the JSON of one request, made beforehand. Stamp gives it new ids and times for a few nanoseconds a message.
type Body struct {
	JSON     []byte
	Messages int
	Product  int
	stamps   []stamps
}

// Body makes messages number n and up, of one product: one object if messages is 1, else {"batch":[…]}.
func (w *Writer) Body(n uint64, messages, product int) *Body {
	if w.config.Bytes > 0 && w.config.Bytes < RoomyBytes {
		panic("BUG: such small messages have no room for new ids")
	}
	body := &Body{Messages: messages, Product: product}
	if messages > 1 {
		body.JSON = append(body.JSON, `{"batch":[`...)
	}
	for i := range messages {
		if i > 0 {
			body.JSON = append(body.JSON, ',')
		}
		start := len(body.JSON)
		w.begin(n + uint64(i))
		var where stamps
		body.JSON, where = w.message(body.JSON, n+uint64(i))
		body.stamps = append(body.stamps, stamps{start + where.id, start + where.at})
	}
	if messages > 1 {
		body.JSON = append(body.JSON, `]}`...)
	}
	return body
}

// Bodies makes n of them, of products as Zipf's law shares them.
func (w *Writer) Bodies(n, messages int) []*Body {
	bodies := make([]*Body, n)
	for i := range bodies {
		first := uint64(i * messages)
		w.begin(first)
		bodies[i] = w.Body(first, messages, w.product())
	}
	return bodies
}

// Stamp gives the messages ids that begin with run and go on from first, and the time. A run that is the seed makes ids
// as Append does.
func (b *Body) Stamp(run, first uint64, at time.Time) {
	var room [len(timeLayout)]byte
	now := at.UTC().AppendFormat(room[:0], timeLayout)
	for i, s := range b.stamps {
		appendID(b.JSON[s.id:s.id], run, first+uint64(i))
		copy(b.JSON[s.at:], now)
	}
}
