package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// repeating logs by a clock of the test's own, and returns the lines without their times.
func repeating(t *testing.T, act func(*slog.Logger)) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		withoutTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		act(slog.New(newRepeats(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))))
		time.Sleep(3 * repeatWindow) // what was counted is logged, and nothing is left behind
		synctest.Wait()
		lines = strings.Split(strings.TrimSpace(out.String()), "\n")
	})
	return lines
}

func TestSampler_RepeatedMessages_AreCounted(t *testing.T) {
	require.Equal(t, []string{
		`level=WARN msg="cannot insert" partition=0`,
		`level=INFO msg="cannot insert" partition=9`, // another level is another message
		`level=WARN msg=else`,
		`level=WARN msg="cannot insert" lane=a partition=4 repeated=4`,
	}, repeating(t, func(log *slog.Logger) {
		log.Warn("cannot insert", "partition", 0)
		log.Info("cannot insert", "partition", 9)
		log.Warn("else")
		for i := range 4 {
			log.With("lane", "a").Warn("cannot insert", "partition", i+1)
		}
	}))
}

// A message that goes on for long is a line each second, and each of it is told once.
func TestSampler_OngoingMessage_IsOneLinePerSecond(t *testing.T) {
	lines := repeating(t, func(log *slog.Logger) {
		for range 25 {
			log.Warn("still")
			time.Sleep(repeatWindow / 10)
		}
	})
	require.Len(t, lines, 4)
	told := 1
	for _, line := range lines[1:] {
		var n int
		_, err := fmt.Sscanf(line, "level=WARN msg=still repeated=%d", &n)
		require.NoError(t, err, line)
		told += n
	}
	require.Equal(t, 25, told)
}

func TestSampler_MessageASecondLater_IsLoggedImmediately(t *testing.T) {
	require.Equal(t, []string{"level=WARN msg=again", "level=WARN msg=again"}, repeating(t, func(log *slog.Logger) {
		log.Warn("again")
		time.Sleep(2 * repeatWindow)
		log.Warn("again")
	}))
}

// At the end of a program the second is not waited for, and nothing is held back or told twice.
func TestSampler_Close_LogsCounts(t *testing.T) {
	require.Equal(t, []string{
		`level=WARN msg="cannot insert" partition=0`,
		`level=WARN msg="cannot insert" partition=2 repeated=2`,
		`level=WARN msg="cannot insert" partition=3`,
		`level=WARN msg="cannot insert" partition=4`,
	}, repeating(t, func(log *slog.Logger) {
		for i := range 3 {
			log.Warn("cannot insert", "partition", i)
		}
		Flush(log)
		for i := range 2 {
			log.Warn("cannot insert", "partition", 3+i)
		}
		Flush(log)
	}))
	Flush(slog.New(slog.DiscardHandler)) // does nothing
}

// Beyond the bound nothing is held back, and nothing is forgotten.
func TestSampler_ManyMessages_AreNotLost(t *testing.T) {
	lines := repeating(t, func(log *slog.Logger) {
		for i := range repeatKinds {
			log.Warn(fmt.Sprint("kind ", i))
		}
		log.Warn("one more")
		log.Warn("one more")
	})
	require.Len(t, lines, repeatKinds+2)
}
