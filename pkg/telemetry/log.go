package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// LogConfig says what to log and how.
type LogConfig struct {
	LogLevel  slog.Level `help:"The least level that is logged: debug, info, warn or error." default:"info"`
	LogFormat string     `help:"The logs' format: text or json." enum:"text,json" default:"text"`
}

// Logger makes the program's logger.
func (c *LogConfig) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// BUG logs a panic that was caught and says what was being done.
func BUG(log *slog.Logger, doing string, panicked any, stack []byte) {
	log.Error("BUG: panic while "+doing, "panic", fmt.Sprintf("%T", panicked), "stack", string(stack))
}
