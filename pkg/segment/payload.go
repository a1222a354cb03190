package segment

import (
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/rawjson"
)

// Limits bound a payload. Beyond Messages, Depth or ContextBytes the whole of it is refused; beyond
// MessageBytes one message is.
type Limits struct {
	Messages     int // in one payload
	MessageBytes int
	ContextBytes int // of the context beside a batch, which every message of it carries along
	Depth        int // of objects and arrays, the payload's own included
}

// DefaultLimits are those of the public contract.
var DefaultLimits = Limits{Messages: 1000, MessageBytes: 512 << 10, ContextBytes: 16 << 10, Depth: 64}

// Payload is a body cut into its messages. Its zero value is ready; Parse reuses the memory of the
// payload before.
type Payload struct {
	Messages []Message // in the body's order
	Context  []byte    // the object beside "batch", nil if there is none; aliases the body

	Accepted, Ignored, Invalid int // how many messages of each verdict

	repeats  repeats
	scanner  rawjson.Scanner
	limits   Limits
	received int
}

// Received is the number of elements in the payload.
func (p *Payload) Received() int { return p.received }

// Parse cuts body into messages and judges each. It returns a *Refusal if the payload as a whole is
// refused. The messages alias body, which the caller must not change while it uses them.
//
// The checks come in the order in which they answer: the whole body is read as JSON before the
// messages are counted, and they are counted before their shapes matter.
func (p *Payload) Parse(body []byte, limits Limits) error {
	p.reset(limits)
	if !utf8.Valid(body) {
		return refuseSyntax(rawjson.ErrUTF8, limits.Depth)
	}
	p.scanner = rawjson.NewScanner(body, limits.Depth)
	switch p.scanner.Peek() {
	case '[':
		p.elements()
	case '{':
		p.object()
	default:
		p.scanner.Skip()
		p.add(Message{Raw: body, Reason: NotAMessage})
	}
	p.scanner.End()
	if err := p.scanner.Err(); err != nil {
		return refuseSyntax(err, limits.Depth)
	}
	return p.verdict()
}

func (p *Payload) reset(limits Limits) {
	clear(p.Messages) // so that a pooled Payload does not hold on to an old body
	p.Messages = p.Messages[:0]
	p.Context = nil
	p.limits = limits
	p.received, p.Accepted, p.Ignored, p.Invalid = 0, 0, 0, 0
}

func (p *Payload) verdict() error {
	if p.received > p.limits.Messages {
		return refuseCount(p.received, p.limits.Messages)
	}
	if len(p.Context) > p.limits.ContextBytes {
		return refuseContext(p.limits.ContextBytes)
	}
	for i := range p.Messages {
		switch reason := p.Messages[i].Reason; {
		case reason == Accepted:
			p.Accepted++
		case reason.Invalid():
			p.Invalid++
		default:
			p.Ignored++
		}
	}
	if p.received > 0 && p.Invalid == p.received {
		return refuseShape(0, p.Messages[0].Reason)
	}
	if p.Accepted > 1 {
		p.repeats.mark(p.Messages)
	}
	return nil
}

// object reads a body that is one object: {"batch":[…]}, or else one message. Which of the two it is
// may show only at its last member, so both are noted on the way.
//
// An object with a "batch" and one of Segment's own types is a message that happens to have such a
// field; with any other type it is a batch, for dropping one silently as of unknown type would
// lose all that is in it.
func (p *Payload) object() {
	var single fields
	var context []byte
	batch := false
	s := &p.scanner
	start := s.Offset()
	for s.Enter('{'); s.More('}'); {
		name := s.Member()
		if string(name) == "batch" && s.Peek() == '[' {
			batch = true
			p.received = 0
			p.Messages = p.Messages[:0] // the last of duplicate names counts
			p.elements()
			continue
		}
		value := s.Skip()
		single.take(name, value)
		if string(name) == "context" {
			context = value
		}
	}
	if batch && !single.hasKnownType() {
		if rawjson.KindOf(context) == rawjson.Object {
			p.Context = context
		}
		return
	}
	p.received = 0
	p.Messages = p.Messages[:0]
	raw := s.Since(start)
	p.add(single.message(raw, p.limits))
}

func (f *fields) hasKnownType() bool {
	if rawjson.KindOf(f.kind) != rawjson.String {
		return false
	}
	for _, known := range [...]string{"track", "page", "screen", "identify", "group", "alias"} {
		if isText(f.kind, known) {
			return true
		}
	}
	return false
}

func (p *Payload) elements() {
	s := &p.scanner
	for s.Enter('['); s.More(']'); {
		p.element()
	}
}

func (p *Payload) element() {
	s := &p.scanner
	if s.Peek() != '{' {
		p.add(Message{Raw: s.Skip(), Reason: NotAMessage})
		return
	}
	start := s.Offset()
	var f fields
	for s.Enter('{'); s.More('}'); {
		f.take(s.Member(), s.Skip())
	}
	raw := s.Since(start)
	p.add(f.message(raw, p.limits))
}

// add counts every message but keeps no more than may be of use.
func (p *Payload) add(m Message) {
	if p.received++; p.received <= p.limits.Messages {
		p.Messages = append(p.Messages, m)
	}
}
