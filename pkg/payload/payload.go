package payload

import (
	"hash/crc32"
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/rawjson"
)

// Limits bound a payload. Beyond Messages, Depth or ContextBytes the whole of it is refused; beyond
// MessageBytes one message is.
type Limits struct {
	Messages     int // in one payload
	MessageBytes int
	ContextBytes int // of the context beside a batch, which is stored with every message of it
	Depth        int // of objects and arrays, the payload's own included
}

// DefaultLimits are those of the public contract.
var DefaultLimits = Limits{Messages: 1000, MessageBytes: 512 << 10, ContextBytes: 16 << 10, Depth: 64}

// Payload is a body cut into its messages. Parse reuses the memory of the payload before.
type Payload struct {
	Messages []Message // in the body's order
	Context  []byte    // the object beside "batch", nil if there is none; aliases the body

	Accepted, Ignored, Invalid int // how many messages of each verdict

	HashKeys bool // set before Parse: messages get a KeyHash

	duplicates duplicates
	format     *Format
	single     Object // the body, if it is one object
	object     Object // of a batch or an array
	scanner    rawjson.Scanner
	limits     Limits
	received   int

	secondBatch bool // the body has more than one member "batch"
}

// New returns a Payload for bodies of one format.
func New(f *Format) *Payload { return &Payload{format: f, single: f.New(), object: f.New()} }

// Received is the number of messages in the payload.
func (p *Payload) Received() int { return p.received }

// MessageError is the reason code of an invalid message. Index is its position in the body.
type MessageError struct {
	Index int
	Code  string
}

// Errors returns the first invalid messages, limit at most; nil if there are none.
func (p *Payload) Errors(limit int) (errors []MessageError) {
	for i := range p.Messages {
		if len(errors) == min(limit, p.Invalid) {
			break
		}
		if reason := p.Messages[i].Reason; reason.Invalid() {
			errors = append(errors, MessageError{i, reason.Code()})
		}
	}
	return errors
}

// Parse splits body into messages and decides on each. It returns a *Refusal if the payload as a whole is refused. The
// messages alias body, which the caller must not change while it uses them.
//
// The checks come in the order of the contract: the whole body is read as JSON before the messages are counted, and
// they are counted before their shapes matter.
func (p *Payload) Parse(body []byte, limits Limits) error {
	p.reset(limits)
	if !utf8.Valid(body) {
		return refuseSyntax(rawjson.ErrUTF8, limits.Depth)
	}
	p.scanner = rawjson.NewScanner(body, limits.Depth)
	switch p.scanner.Peek() {
	case '[':
		p.parseArray()
	case '{':
		p.parseObject()
	default:
		p.scanner.Skip()
		p.add(body, p.format.NotAnObject)
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
	p.secondBatch = false
}

func (p *Payload) verdict() error {
	if p.secondBatch {
		return errSecondBatch
	}
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
		return p.format.refuse(0, p.Messages[0].Reason)
	}
	if p.Accepted > 1 {
		p.duplicates.mark(p.Messages)
	}
	return nil
}

// parseObject reads a body that is one object: {"batch":[…]} or one message. Only the last member may tell which, so it
// notes both.
func (p *Payload) parseObject() {
	p.single.Reset()
	var context []byte
	batches, isArray := 0, false
	s := &p.scanner
	start := s.Offset()
	for s.Enter('{'); s.More('}'); {
		name := s.Member()
		if string(name) == "batch" {
			if batches++; s.Peek() == '[' {
				isArray = true
				p.parseArray()
				continue
			}
		}
		value := s.Skip()
		p.single.Set(name, value)
		if string(name) == "context" {
			context = value
		}
	}
	if isArray && !p.single.IsMessage() {
		p.secondBatch = batches > 1
		if p.format.Context && rawjson.KindOf(context) == rawjson.Object {
			p.Context = context
		}
		return
	}
	p.received = 0
	p.Messages = p.Messages[:0]
	p.addObject(p.single, s.Since(start))
}

func (p *Payload) parseArray() {
	s := &p.scanner
	for s.Enter('['); s.More(']'); {
		if s.Peek() != '{' {
			p.add(s.Skip(), p.format.NotAnObject)
			continue
		}
		start := s.Offset()
		p.object.Reset()
		for s.Enter('{'); s.More('}'); {
			p.object.Set(s.Member(), s.Skip())
		}
		p.addObject(p.object, s.Since(start))
	}
}

// addObject adds a message that is an object. After a syntax error it does nothing: the payload will be refused.
func (p *Payload) addObject(o Object, raw []byte) {
	if p.scanner.Err() == nil {
		reason := o.Verdict(len(raw), &p.limits)
		p.add(raw, reason)
		p.setID(o.ID())
		if p.HashKeys && reason == Accepted {
			p.setKeyHash(o, raw)
		}
	}
}

// setKeyHash sets the key hash of the message that was added last. Without a key, its bytes are the key.
func (p *Payload) setKeyHash(o Object, raw []byte) {
	if p.received > p.limits.Messages {
		return
	}
	key := o.PartitionKey()
	if key == nil {
		key = raw
	}
	p.Messages[len(p.Messages)-1].KeyHash = crc32.ChecksumIEEE(key)
}

// setID sets the id of the message that was added last, if that is a number or a string that is not blank.
func (p *Payload) setID(id []byte) {
	if p.received <= p.limits.Messages && (rawjson.HasText(id) || rawjson.KindOf(id) == rawjson.Number) {
		p.Messages[len(p.Messages)-1].id = id
	}
}

// add counts every message but keeps no more than the limit.
func (p *Payload) add(raw []byte, reason *Reason) {
	if p.received++; p.received <= p.limits.Messages {
		p.Messages = append(p.Messages, Message{Raw: raw, Reason: reason})
	}
}
