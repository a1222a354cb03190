package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// eventStream sends server-sent events to one browser.
type eventStream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
}

// sendTimeout is how long a browser may take nothing of what is sent.
const sendTimeout = 30 * time.Second

// retryMs is after how long a browser comes back when a stream has ended.
const retryMs = 2000

// stream begins to send. The context ends with the browser's connection, with its session, or with the program.
func (c *Console) stream(w http.ResponseWriter, r *http.Request) (*eventStream, context.Context, func()) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep it back
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(c.ctx, cancel)
	s := &eventStream{w, http.NewResponseController(w)}
	fmt.Fprintf(w, "retry: %d\n\n", retryMs)
	_ = s.controller.Flush() // who does not listen is found out at the next event
	c.metrics.streams.Inc()
	return s, ctx, func() { c.metrics.streams.Dec(); stop(); cancel() }
}

// lineEnds makes one of the three ends of a line that server-sent events know: a carriage return in a message must not begin a field.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// send sends one event. Its error means that the browser is gone.
func (s *eventStream) send(event, html string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", event)
	for line := range strings.SplitSeq(lineEnds.Replace(html), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	_ = s.controller.SetWriteDeadline(time.Now().Add(sendTimeout)) // a writer without deadlines has none
	if _, err := s.w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	if err := s.controller.Flush(); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	return nil
}
