package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
)

// LogConfig says what to log and how.
type LogConfig struct {
	LogLevel  slog.Level `help:"The least level that is logged: debug, info, warn or error." default:"info"`
	LogFormat string     `help:"The logs' format: text or json." enum:"text,json" default:"text"`
}

// Logger makes the program's logger. A message that repeats within a second is counted.
func (c *LogConfig) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(newRepeats(slog.NewJSONHandler(w, options)))
	}
	return slog.New(newRepeats(slog.NewTextHandler(w, options)))
}

// BUG logs a panic that was caught and says what was being done. Of the panic's own text only the Go
// runtime's is shown, which holds types and numbers: any other could quote what was being worked on.
func BUG(log *slog.Logger, doing string, panicked any, stack []byte) {
	what := fmt.Sprintf("%T", panicked)
	if err, ok := panicked.(runtime.Error); ok {
		what = err.Error()
	}
	log.Error("BUG: panic while "+doing, "panic", what, "stack", string(stack))
}
