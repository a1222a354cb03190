package payload

// Format is what an endpoint accepts.
type Format struct {
	Name        string        // of a valid message, for people: "a valid event"
	RefusalCode string        // of the refusal of a payload without one valid message
	Context     bool          // whether a batch may have a context beside it
	New         func() Object // makes the state in which messages are checked, one after the other

	NotAnObject *Reason   // the verdict on messages that are no objects
	Invalid     []*Reason // all verdicts that make a message a dead letter
}

// Object reads a JSON object member by member and then decides whether it is a valid message. It is reused for the
// next.
type Object interface {
	// Reset forgets the object before.
	Reset()
	// Set sets a member. The value is checked JSON; of duplicate names, the last counts.
	Set(name, value []byte)
	// IsMessage reports whether an object with a member "batch" is one message rather than a batch.
	IsMessage() bool
	// Verdict decides on the object, which is size bytes long.
	Verdict(size int, limits *Limits) *Reason
	// ID is the raw JSON value of the id by which duplicates are found; nil without one.
	ID() []byte
	// PartitionKey is the text of the user's id, else of the message's own; nil without both. It is valid until the
	// next call. It is only called for accepted messages.
	PartitionKey() []byte
}

// Message is one message of a payload.
type Message struct {
	Raw       []byte  // the message's own bytes, aliasing the body
	Reason    *Reason // why it is not accepted; Accepted if it is
	Duplicate bool    // accepted, but an earlier message of the payload has its id

	// KeyHash is the CRC-32 of the partition key: all messages of a user have the same. Only if Payload.HashKeys is set
	// and the message is accepted.
	KeyHash uint32

	id []byte // as it is written; nil without one
}

// Reason is a verdict on one message. Those that are not valid are kept as dead letters under their code.
type Reason struct {
	code, sentence string
	ignored        bool
}

// Accepted is the verdict on messages that become records.
var Accepted *Reason

// TooLarge is the verdict on a message beyond Limits.MessageBytes.
var TooLarge = Invalid("message_too_large", "it is larger than the limit for one message")

// Invalid makes a verdict on messages that break the format. The code is the snake_case name in dead letters and
// metrics; the sentence is for people, half a sentence that follows a colon.
func Invalid(code, sentence string) *Reason { return &Reason{code, sentence, false} }

// Ignored makes a verdict on messages that are well-formed and dropped silently.
func Ignored(code, sentence string) *Reason { return &Reason{code, sentence, true} }

// Code is the reason in snake_case.
func (r *Reason) Code() string { return r.code }

// Sentence is the reason for people.
func (r *Reason) Sentence() string { return r.sentence }

// Invalid reports whether the message becomes a dead letter.
func (r *Reason) Invalid() bool { return r != Accepted && !r.ignored }
