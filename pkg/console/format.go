package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// count formats a whole number with narrow spaces: 1 234 567.
func count(n any) string {
	if pointer, is := n.(*uint64); is {
		n = *pointer
	}
	text := fmt.Sprint(n)
	digits, sign := strings.TrimPrefix(text, "-"), ""
	if digits != text {
		sign = "-"
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, groups...), "\u202F")
}

// maxShort limits, in bytes, a text in a list: a sender may use a name of half a megabyte.
const maxShort = 200

// short truncates a text at a character boundary.
func short(text string) string {
	if len(text) <= maxShort {
		return text
	}
	return strings.ToValidUTF8(text[:maxShort], "") + " …"
}

// ago formats the time since t.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	past := time.Since(t)
	switch {
	case past < 2*time.Second:
		return "just now"
	case past < 2*time.Minute:
		return strconv.Itoa(int(past.Seconds())) + " s ago"
	case past < 2*time.Hour:
		return strconv.Itoa(int(past.Minutes())) + " min ago"
	case past < 48*time.Hour:
		return strconv.Itoa(int(past.Hours())) + " h ago"
	}
	return strconv.Itoa(int(past.Hours()/24)) + " days ago"
}

// timestamp formats a time in full, in UTC.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// timeOfDay formats a time of day in UTC.
func timeOfDay(t time.Time) string { return t.UTC().Format("15:04:05.000") }
