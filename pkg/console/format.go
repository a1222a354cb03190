package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// count writes a whole number with thin groups: 1 234 567.
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

// maxShort is how much is shown of a text where many stand together: a sender may put half a megabyte into a name.
const maxShort = 200

// short is a text's beginning, on whole characters.
func short(text string) string {
	if len(text) <= maxShort {
		return text
	}
	return strings.ToValidUTF8(text[:maxShort], "") + " …"
}

// ago is how long something is past, in words.
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

// timestamp is a time in full, in UTC.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// timeOfDay is a time of the day.
func timeOfDay(t time.Time) string { return t.UTC().Format("15:04:05.000") }
