package stream

import (
	"encoding/binary"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kind says what a record's value is.
type Kind string

// The kinds of record.
const (
	KindEvent        Kind = "event"        // one message as the provider sent it
	KindIdentify     Kind = "identify"     // who a user is, by our own API
	KindConversation Kind = "conversation" // one activity of a conversation, by our own API
	KindDeadLetter   Kind = "dead_letter"  // a message that cannot be what it was sent as
)

// The providers: what a record's value is made by. They are the source in ClickHouse.
const (
	ProviderSegment = "segment"
	ProviderAPI     = "api" // our own
)

// Names of the headers. Other producers may write records with the first five headers, if they use the same key,
// workspace, NUL and product, and Kafka's default partitioning (murmur2).
const (
	headerKind       = "kind"
	headerWorkspace  = "workspace"
	headerConnection = "connection"
	headerProvider   = "provider"
	headerReceivedAt = "received_at" // Unix microseconds, big-endian; unlike for any two messages of a request

	headerContext = "context"     // the object beside the batch that the message came in
	headerTrace   = "traceparent" // W3C's, if the message's way is traced
	headerSalt    = "salt"        // one byte: distance from the key's own partition; absent if 0

	headerOriginalKind = "original_kind" // of a dead letter: the kind that the message was sent as
	headerReason       = "reason"
	headerDetail       = "detail"
	headerOrigin       = "origin" // topic/partition/offset, if the message was in the log before

	headerReplayOf = "replay_of" // of a copy: topic/partition/offset of its original
)

// Source is where messages come from: the connection they were sent to.
type Source struct {
	Workspace, Product, Connection, Provider string
}

// Record is one record's content. What a Batch decodes are views of the fetched memory, good until the
// batch is let go.
type Record struct {
	Kind                                     []byte
	Workspace, Product, Connection, Provider []byte
	ReceivedAt                               int64 // Unix microseconds
	Context                                  []byte
	Trace                                    []byte // W3C's traceparent, if its way is traced
	Salt                                     []byte // how far from its product's partition it is; nil if it is there
	Value                                    []byte
	OriginalKind, Reason, Detail, Origin     []byte // of dead letters
	ReplayOf                                 []byte // origin of a replayed copy or of its dead letter, else nil

	Offset int64
}

// decode reads a record. Headers that are missing leave their fields empty.
func (e *Record) decode(r *kgo.Record) {
	workspace, product := splitKey(r.Key)
	*e = Record{Product: product, Value: r.Value, Offset: r.Offset, ReceivedAt: r.Timestamp.UnixMicro()}
	for i := range r.Headers {
		h := &r.Headers[i]
		switch h.Key {
		case headerKind:
			e.Kind = h.Value
		case headerWorkspace:
			e.Workspace = h.Value
		case headerConnection:
			e.Connection = h.Value
		case headerProvider:
			e.Provider = h.Value
		case headerReceivedAt:
			if len(h.Value) == 8 {
				e.ReceivedAt = int64(binary.BigEndian.Uint64(h.Value))
			}
		case headerContext:
			e.Context = h.Value
		case headerTrace:
			e.Trace = h.Value
		case headerSalt:
			e.Salt = h.Value
		case headerOriginalKind:
			e.OriginalKind = h.Value
		case headerReason:
			e.Reason = h.Value
		case headerDetail:
			e.Detail = h.Value
		case headerOrigin:
			e.Origin = h.Value
		case headerReplayOf:
			e.ReplayOf = h.Value
		}
	}
	if workspace != nil {
		e.Workspace = workspace // the key decides the partition, so it counts if the header differs
	}
}

// ReceivedTime is when the edge received the entry.
func (e *Record) ReceivedTime() time.Time { return time.UnixMicro(e.ReceivedAt).UTC() }

// ReasonRecordsLost is the reason of a dead letter without a message: it stands for records that the brokers deleted
// before they were loaded.
const ReasonRecordsLost = "records_lost"
