package tail

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Message is a record of the log in readable form. It shares no memory with the reader.
type Message struct {
	At         string // topic/partition/offset
	ReceivedAt time.Time
	Kind       string // event, identify, conversation, dead_letter
	Source     string
	Product    string

	// Fields of an event.
	InsertID, MessageType, EventType, SourceEvent string
	EventAt                                       time.Time
	KeyAt                                         int64 // of the sorting key, in Unix milliseconds
	Influence, InfluenceRule                      string
	Value, ValueType, Currency                    string
	ExternalUser, Email, Name                     string
	ExternalOrganization, ExternalConversation    string

	// Fields of a dead letter.
	Reason, Detail string

	Body string // the message's text, possibly truncated; empty if it was not read
	Cut  bool   // Body is truncated
}

// IsEvent reports whether the message becomes an event.
func (m Message) IsEvent() bool { return m.InsertID != "" }

// reader maps records. It is not safe for concurrent use.
type reader struct {
	mapper *mapping.Mapper
	result mapping.Result
}

func newReader() reader { return reader{mapper: mapping.NewExplainer()} }

// read converts a record, as a loader would map it.
func (r *reader) read(t *stream.TailRecord) Message {
	e := &t.Record
	m := Message{
		At: fmt.Sprintf("%s/%d/%d", t.Topic, t.ID, e.Offset), ReceivedAt: e.ReceivedTime(), Kind: string(e.Kind),
		Source: string(e.Provider), Product: string(e.Product),
	}
	m.Body, m.Cut = shorten(e.Value)
	if stream.Kind(e.Kind) == stream.KindDeadLetter {
		m.Reason, m.Detail = string(e.Reason), string(e.Detail)
		return m
	}
	message := mapping.Message{Raw: e.Value, Context: e.Context, ReceivedAt: e.ReceivedAt}
	if err := r.mapper.MapRecord(e.Kind, e.Provider, &message, &r.result); err != nil {
		m.Reason, m.Detail = mapping.Code(err), err.Error()
		return m
	}
	switch r.result.Type {
	case mapping.IsEvent:
		m.fill(&r.result.Event)
		m.InfluenceRule = r.mapper.InfluenceRule()
	case mapping.IsIdentify:
		i := &r.result.Identify
		m.ExternalUser, m.Email, m.Name = string(i.ExternalUserID), string(i.Email), string(i.Name)
	case mapping.IsActivity:
		a := &r.result.Activity
		m.ExternalUser, m.Email, m.ExternalConversation = string(
			a.ExternalUserID,
		), string(
			a.Email,
		), string(
			a.ExternalConversationID,
		)
	}
	return m
}

func (m *Message) fill(e *mapping.Event) {
	m.InsertID, m.MessageType = string(e.InsertID), e.MessageType.String()
	m.EventType, m.SourceEvent = string(e.EventType), string(e.SourceEvent)
	m.EventAt, m.KeyAt = time.UnixMilli(e.EventAt).UTC(), warehouse.KeyTime(e)
	m.Influence = e.Influence.String()
	m.Value, m.ValueType, m.Currency = string(e.ValueText), e.ValueType.String(), string(e.Currency)
	m.ExternalUser, m.Email, m.Name = string(e.ExternalUserID), string(e.UserEmail), string(e.UserName)
	m.ExternalOrganization, m.ExternalConversation = string(e.ExternalOrganizationID), string(e.ExternalConversationID)
}

// Explain converts one record. For an event it also returns the rule of each field.
func Explain(p stream.Partition, e *stream.Record) (Message, []mapping.Explained) {
	r := newReader()
	m := r.read(&stream.TailRecord{Partition: p, Record: *e})
	if !m.IsEvent() {
		return m, nil
	}
	return m, r.mapper.Explain(&r.result.Event)
}
