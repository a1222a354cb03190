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
	sent       time.Time
}

// sendTimeout limits one write to a browser.
const sendTimeout = 30 * time.Second

// maxStreams limits open streams. Each stream of messages reads Kafka.
const maxStreams = 200

// reconnectMs is the browser's delay before it reconnects.
const reconnectMs = 2000

// streaming serves a stream of events. Its context ends with the request, the session or the program.
func (c *Console) streaming(serve func(context.Context, *eventStream, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer c.streams.Add(-1)
		if c.streams.Add(1) > maxStreams {
			http.Error(w, "too many open pages: close some", http.StatusServiceUnavailable)
			return
		}
		c.metrics.streams.Inc()
		defer c.metrics.streams.Dec()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(c.ctx, cancel)()
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // turns off nginx's buffering
		s := &eventStream{w: w, controller: http.NewResponseController(w)}
		if s.write(fmt.Appendf(nil, "retry: %d\n\n", reconnectMs)) == nil {
			serve(ctx, s, r)
		}
	}
}

// lineEnds normalizes the three line ends of server-sent events, so that no message can start a field.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// send sends one event. An error means that the browser has disconnected.
func (s *eventStream) send(event, html string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", event)
	for line := range strings.SplitSeq(lineEnds.Replace(html), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	return s.write(b.Bytes())
}

// keepAlive sends a comment after a silent interval, since proxies close silent connections.
func (s *eventStream) keepAlive() error {
	if time.Since(s.sent) < keepAliveInterval {
		return nil
	}
	return s.write([]byte(": keep-alive\n\n"))
}

// keepAliveInterval is the longest silence of a stream.
const keepAliveInterval = 15 * time.Second

func (s *eventStream) write(b []byte) error {
	s.sent = time.Now()
	_ = s.controller.SetWriteDeadline(time.Now().Add(sendTimeout)) // fails only for a writer without deadlines
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	if err := s.controller.Flush(); err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	return nil
}
