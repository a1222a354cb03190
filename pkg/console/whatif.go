package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/segment"
)

// maxMessageBytes limits a pasted message to the edge's default limit.
const maxMessageBytes = 512 << 10

// whatifBody is the content of the what-if page.
type whatifBody struct {
	Text     string
	Problem  string
	Messages []mappedMessage
	More     int // messages beyond maxExplained
}

// mappedMessage is one of the pasted messages and its event.
type mappedMessage struct {
	Number  int
	Problem string // why it becomes no event
	Code    string
	Fields  []mapping.Explained
}

// maxExplained limits the explained messages.
const maxExplained = 10

// whatif runs a pasted payload through the edge's checks and the loader's mapping, and stores nothing.
func (c *Console) whatif(w http.ResponseWriter, r *http.Request) {
	body := whatifBody{Text: exampleMessage}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		body = whatifBody{Text: r.PostForm.Get("message")}
		if len(body.Text) > maxMessageBytes {
			body = whatifBody{Problem: fmt.Sprintf("It exceeds %d bytes, the limit of one message.", maxMessageBytes)}
		} else if err := body.explain([]byte(body.Text)); err != nil {
			body.Problem = err.Error()
		}
		if body.Problem != "" {
			status = http.StatusBadRequest
		}
	}
	c.show(w, r, status, "whatif", "whatif", "What if", body)
}

func (b *whatifBody) explain(text []byte) error {
	p := payload.New(&segment.Format)
	if err := p.Parse(text, payload.DefaultLimits); err != nil {
		return fmt.Errorf("the edge would refuse this body: %w", err)
	}
	now := time.Now()
	mapper := mapping.NewExplainer()
	var result mapping.Result
	kind, provider := []byte(mapping.KindEvent), []byte(mapping.ProviderSegment)
	for i, m := range p.Messages {
		if i >= maxExplained {
			b.More = len(p.Messages) - maxExplained
			break
		}
		would := mappedMessage{Number: i + 1}
		if m.Reason != payload.Accepted {
			would.Code, would.Problem = m.Reason.Code(), m.Reason.Sentence()
		} else if err := mapper.MapRecord(kind, provider, &mapping.Message{
			Raw: m.Raw, Context: p.Context, ReceivedAt: now.UnixMicro(),
		}, &result); err != nil {
			would.Code, would.Problem = mapping.Code(err), err.Error()
		} else {
			would.Fields = mapper.Explain(&result.Event)
		}
		b.Messages = append(b.Messages, would)
	}
	return nil
}
