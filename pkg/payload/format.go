package payload

// Format is what the elements of a payload have to be.
type Format struct {
	Name    string         // what an element is, for people: "a valid event"
	RefusalCode string         // the code of the refusal of a payload without one valid element
	Context bool           // whether a batch may have a context beside it
	New     func() Object // makes the state in which elements are judged, one after the other

	NotAnObject *Reason   // the verdict on elements that are none
	Invalid     []*Reason // all verdicts that make an element a dead letter
}

// Object takes in an object member by member, and then says what it is. It is used again for the next.
type Object interface {
	// Reset forgets the object before.
	Reset()
	// Take notes a member. The value is checked JSON; of duplicate names, the last counts.
	Set(name, value []byte)
	// Whole tells whether an object that has a "batch" is an element that happens to have such a member,
	// and not a batch.
	IsMessage() bool
	// Judge decides on the object, which is size bytes long.
	Verdict(size int, limits *Limits) *Reason
	// ID is what makes two of them one, as it is written; nil if it has none.
	ID() []byte
	// Whose says whom the element is about, or else which it is; nil if it does not say. It is good until the next
	// call, and asked for where the element is accepted.
	PartitionKey() []byte
}

// Message is one element of a payload.
type Message struct {
	Raw    []byte  // the element's own bytes, aliasing the body
	Reason *Reason // why it is not accepted; Accepted if it is
	Duplicate bool    // accepted, but an earlier one of the payload has its id and counts

	// Subject is a checksum (CRC-32) of whose it is: one user's messages have the same. Only if Payload.Subjects, and it
	// is accepted.
	KeyHash uint32

	id []byte // as it is written; nil if it has none
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

// Invalid makes a verdict on messages that break the format. The code is in snake_case, as dead letters
// and metrics name it; the sentence is for people, half a sentence that follows a colon.
func Invalid(code, sentence string) *Reason { return &Reason{code, sentence, false} }

// Ignored makes a verdict on messages that are well-formed and dropped silently.
func Ignored(code, sentence string) *Reason { return &Reason{code, sentence, true} }

// Code is the reason in snake_case.
func (r *Reason) Code() string { return r.code }

// Sentence is the reason for people.
func (r *Reason) Sentence() string { return r.sentence }

// Invalid tells whether the message goes to the dead letters.
func (r *Reason) Invalid() bool { return r != Accepted && !r.ignored }
