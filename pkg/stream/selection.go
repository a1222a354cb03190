package stream

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Verdict is what a replay does with a record within its reach.
type Verdict uint8

const (
	Selected        Verdict = iota // it is replayed
	OtherProduct                   // the product or its workspace is not selected
	OtherReason                    // it is a dead letter of a reason that is not asked for
	NotSelected                    // it is none of the records that were chosen one by one
	AlreadySelected                // what it was made of is within reach, and stands for it
	TooLarge                       // refused for its size: too large for a record of the ingest topic

	verdicts = iota
)

// selection decides which records are replayed. Of a message that is in the log more than once, as sent, as a dead
// letter and as copies of both that replays have written, one is: the earliest within reach. Without that every replay
// would double what those before it have written.
type selection struct {
	workspaces, products, reasons []string
	ingest, dead                  string // topics
	ranges                        map[Partition]OffsetRange
	passed                        map[Position]struct{} // dead letters of other reasons, which stand for nothing
	only                          map[Position]struct{} // the records that were chosen one by one; nil if all are
}

func newSelection(config *ReplayConfig, topics Topics, spans []OffsetRange) selection {
	c := selection{
		workspaces: config.Workspaces,
		products:   config.Products,
		reasons:    config.Reasons,
		ingest:     topics.Ingest,
		dead:       topics.DeadLetters,
		ranges:     map[Partition]OffsetRange{},
		passed:     map[Position]struct{}{},
	}
	for _, s := range spans {
		c.ranges[s.Partition] = s
	}
	if len(config.Only) > 0 {
		c.only = make(map[Position]struct{}, len(config.Only))
		for _, p := range config.Only {
			c.only[p] = struct{}{}
		}
	}
	return c
}

func (c *selection) verdict(r *kgo.Record, e *Record) Verdict {
	switch {
	case r.Topic == c.dead && string(e.Reason) == ReasonRecordsLost:
		return NotSelected // it has no message
	case !c.isNamed(positionOf(r)):
		return NotSelected
	case len(c.workspaces) > 0 && !slices.Contains(c.workspaces, string(e.Workspace)),
		len(c.products) > 0 && !slices.Contains(c.products, string(e.Product)):
		return OtherProduct
	case c.isSelected(e.ReplayOf) || c.isSelected(e.Origin):
		return AlreadySelected
	case r.Topic == c.dead && len(c.reasons) > 0 && !slices.Contains(c.reasons, string(e.Reason)):
		c.passed[positionOf(r)] = struct{}{}
		return OtherReason
	case size(r)+copyOverheadBytes > IngestRecordBytes:
		return TooLarge
	}
	return Selected
}

func (c *selection) isNamed(p Position) bool {
	_, chosen := c.only[p]
	return c.only == nil || chosen
}

// isSelected tells whether the record at coordinates is replayed itself.
func (c *selection) isSelected(coordinates []byte) bool {
	p, ok := ParseCoordinates(coordinates)
	if !ok {
		return false
	}
	span, within := c.ranges[p.Partition]
	_, passed := c.passed[p]
	passed = passed || !c.isNamed(p)
	return within && p.Offset >= span.From && p.Offset < span.Until && !passed
}

// copyOverheadBytes is above what a copy is larger by than its key, value and headers: its coordinates, of which a
// topic's name is 249 bytes at most, and what frames it.
const copyOverheadBytes = 1024

// addCopy adds a record of the log as it was sent at first, with a note of what it is a copy of.
func (o *Request) addCopy(r *kgo.Record) {
	if len(o.records) == cap(o.records) {
		panic("BUG: more records than Begin was told of")
	}
	o.records = append(o.records, kgo.Record{
		Topic: o.producer.topics.Ingest, Key: r.Key, Value: r.Value,
		Headers: copyHeaders(r, r.Topic == o.producer.topics.DeadLetters),
	})
}

// copyHeaders keeps what the record says of the message. It says when that was received in any case: where others
// leave it to the record's own time, the copy's would be another. Of a dead letter the reason goes, and the kind is
// what it was; its origin stays, for choice.
func copyHeaders(r *kgo.Record, dead bool) []kgo.RecordHeader {
	var e Record
	e.decode(r)
	headers := make([]kgo.RecordHeader, 0, len(r.Headers)+2)
	for _, h := range r.Headers {
		switch {
		case h.Key == headerReceivedAt, h.Key == headerReplayOf:
		case dead && (h.Key == headerKind || h.Key == headerOriginalKind ||
			h.Key == headerReason || h.Key == headerDetail):
		default:
			headers = append(headers, h)
		}
	}
	if dead {
		headers = append(headers, kgo.RecordHeader{Key: headerKind, Value: bytesOf(string(e.originalKind()))})
	}
	return append(headers,
		kgo.RecordHeader{Key: headerReceivedAt, Value: binary.BigEndian.AppendUint64(nil, uint64(e.ReceivedAt))},
		kgo.RecordHeader{Key: headerReplayOf, Value: appendCoordinates(nil, r)})
}

// originalKind is what a dead letter was sent as, and any other record is.
func (e *Record) originalKind() Kind {
	switch {
	case Kind(e.Kind) != KindDeadLetter:
		return Kind(e.Kind)
	case e.OriginalKind == nil:
		return KindEvent // so were all dead letters that do not say
	}
	return Kind(e.OriginalKind)
}

func positionOf(r *kgo.Record) Position {
	return Position{Partition{r.Topic, r.Partition}, r.Offset}
}

// appendCoordinates writes topic/partition/offset. A topic's name has no slash.
func appendCoordinates(b []byte, r *kgo.Record) []byte {
	b = append(append(b, r.Topic...), '/')
	b = append(strconv.AppendInt(b, int64(r.Partition), 10), '/')
	return strconv.AppendInt(b, r.Offset, 10)
}

// ParseCoordinates reads topic/partition/offset.
func ParseCoordinates(b []byte) (p Position, ok bool) {
	topic, rest, _ := bytes.Cut(b, []byte{'/'})
	partition, offset, _ := bytes.Cut(rest, []byte{'/'})
	id, err := strconv.ParseInt(string(partition), 10, 32)
	if err != nil {
		return p, false
	}
	p.Topic, p.ID = string(topic), int32(id)
	p.Offset, err = strconv.ParseInt(string(offset), 10, 64)
	return p, err == nil
}
