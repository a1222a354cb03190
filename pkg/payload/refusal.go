package payload

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/pkg/rawjson"
)

// Refusal is why a whole payload is refused. Its texts hold nothing of the payload.
type Refusal struct {
	Code    string // snake_case, for programs
	Message string // one sentence, for people
	Index   int    // the message to blame, -1 for none
}

func (r *Refusal) Error() string { return r.Message }

// Codes of a Refusal, beside each format's own for a payload without one valid message.
const (
	CodeInvalidJSON     = "invalid_json"
	CodeInvalidUTF8     = "invalid_utf8"
	CodeTooDeep         = "nested_too_deeply"
	CodeTooManyMessages = "too_many_messages"
	CodeContextTooLarge = "context_too_large"
	CodeSecondBatch     = "second_batch"
)

func refuseSyntax(err error, maxDepth int) *Refusal {
	var syntax *rawjson.SyntaxError
	switch {
	case errors.Is(err, rawjson.ErrDepth):
		return &Refusal{CodeTooDeep, fmt.Sprintf("The body is nested deeper than %d levels.", maxDepth), -1}
	case errors.As(err, &syntax):
		return &Refusal{CodeInvalidJSON, fmt.Sprintf("The body is not valid JSON: see byte %d.", syntax.Offset), -1}
	}
	return &Refusal{CodeInvalidUTF8, "The body is not valid UTF-8.", -1}
}

func refuseCount(n, most int) *Refusal {
	return &Refusal{
		CodeTooManyMessages,
		fmt.Sprintf("The batch has %d messages, more than the %d allowed: split it.", n, most),
		-1,
	}
}

var errSecondBatch = &Refusal{CodeSecondBatch, "The body has more than one member named batch.", -1}

func refuseContext(most int) *Refusal {
	return &Refusal{
		CodeContextTooLarge,
		fmt.Sprintf("The context beside the batch is larger than %d bytes: put it into the messages.", most),
		-1,
	}
}

func (f *Format) refuse(index int, reason *Reason) *Refusal {
	return &Refusal{
		f.RefusalCode,
		fmt.Sprintf("No element is %s; element %d: %s.", f.Name, index, reason.Sentence()),
		index,
	}
}
