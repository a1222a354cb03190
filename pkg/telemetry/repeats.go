package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeatWindow is how long a message that was logged is only counted when it comes again.
const repeatWindow = time.Second

// repeatKinds bounds the messages that are watched at once. Messages are fixed texts of ours, so it is not met;
// beyond it they are logged as they come.
const repeatKinds = 1024

// repeats is a handler that logs a message once a second at most. What comes again within the second, whatever its
// attributes, is counted, and at its end the last of these is logged with how many there were: brokers or a ClickHouse
// that are away are some lines a second, not one for each block and partition.
type repeats struct {
	next slog.Handler
	seen *seen
}

func newRepeats(next slog.Handler) slog.Handler {
	return &repeats{next: next, seen: &seen{of: map[message]*window{}}}
}

// message is what counts as the same.
type message struct {
	level slog.Level
	text  string
}

// window is the second after a message was logged.
type window struct {
	count int         // of those that were not
	last  slog.Record // of these, and through which handler
	next  slog.Handler
}

type seen struct {
	mu    sync.Mutex
	of    map[message]*window
	ended bool // nothing is counted any more
}

// Enabled implements slog.Handler.
func (h *repeats) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{next: h.next.WithAttrs(attrs), seen: h.seen}
}

// WithGroup implements slog.Handler.
func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{next: h.next.WithGroup(name), seen: h.seen}
}

// Handle implements slog.Handler.
func (h *repeats) Handle(ctx context.Context, r slog.Record) error {
	if h.seen.counted(message{r.Level, r.Message}, r, h.next) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// counted tells whether the record is one of a second that has begun; else it begins one.
func (s *seen) counted(m message, r slog.Record, through slog.Handler) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.of[m]; w != nil {
		w.count++
		w.last, w.next = r.Clone(), through
		return true
	}
	if !s.ended && len(s.of) < repeatKinds {
		s.of[m] = &window{}
		time.AfterFunc(repeatWindow, func() { s.end(m) })
	}
	return false
}

// end logs what was counted. A message that goes on has its next second at once, so that it is one line each.
func (s *seen) end(m message) {
	s.mu.Lock()
	w := s.of[m]
	if w == nil { // Flush has logged it
		s.mu.Unlock()
		return
	}
	delete(s.of, m)
	if w.count > 0 {
		s.of[m] = &window{}
		time.AfterFunc(repeatWindow, func() { s.end(m) })
	}
	s.mu.Unlock()
	w.tell()
}

// tell logs the last of those that were counted, if there are any.
func (w *window) tell() {
	if w.count > 0 {
		w.last.AddAttrs(slog.Int("repeated", w.count))
		_ = w.next.Handle(context.Background(), w.last) // there is nobody to tell
	}
}

// Flush is for the end of a program: it logs what was counted and not logged yet. What comes later is logged as it
// comes.
func Flush(log *slog.Logger) {
	h, ok := log.Handler().(*repeats)
	if !ok {
		return
	}
	h.seen.mu.Lock()
	left := h.seen.of
	h.seen.of, h.seen.ended = nil, true
	h.seen.mu.Unlock()
	for _, w := range left {
		w.tell()
	}
}
