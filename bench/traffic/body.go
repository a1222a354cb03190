package traffic

import "time"

// Body is the JSON of one request. Stamp gives its messages new ids and times for a few nanoseconds each.
type Body struct {
	JSON     []byte
	Messages int
	Product  int
	stamps   []stamps
}

// Body returns messages number n and up, of one product: one object if messages is 1, otherwise {"batch":[…]}.
func (w *Writer) Body(n uint64, messages, product int) *Body {
	if w.config.Bytes > 0 && w.config.Bytes < MinStampableBytes {
		panic("BUG: messages of this size cannot get new ids")
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
		var at stamps
		body.JSON, at = w.message(body.JSON, n+uint64(i))
		body.stamps = append(body.stamps, stamps{start + at.id, start + at.time})
	}
	if messages > 1 {
		body.JSON = append(body.JSON, `]}`...)
	}
	return body
}

// Bodies returns n bodies of products by Zipf's law.
func (w *Writer) Bodies(n, messages int) []*Body {
	bodies := make([]*Body, n)
	for i := range bodies {
		first := uint64(i * messages)
		w.begin(first)
		bodies[i] = w.Body(first, messages, w.product())
	}
	return bodies
}

// Stamp gives the messages ids that start with run and count from first, and the time. If run is the seed, the ids are
// those of Append.
func (b *Body) Stamp(run, first uint64, at time.Time) {
	var buffer [len(timeLayout)]byte
	now := at.UTC().AppendFormat(buffer[:0], timeLayout)
	for i, s := range b.stamps {
		appendID(b.JSON[s.id:s.id], run, first+uint64(i))
		copy(b.JSON[s.time:], now)
	}
}
