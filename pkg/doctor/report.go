package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Status is how something is.
type Status string

// The three that there are. Fail is for what does not work, or breaks a promise; Warn for what works, and had better be
// otherwise.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Change string `json:"change,omitempty"` // what to do about it
}

// Report is all that was looked at, in that order.
type Report []Finding

// OK notes what is as it should be.
func (r *Report) OK(check, found string, args ...any) { r.add(check, OK, "", found, args) }

// Warn notes what had better be otherwise, and how.
func (r *Report) Warn(check, change, found string, args ...any) {
	r.add(check, Warn, change, found, args)
}

// Fail notes what must be otherwise, and how.
func (r *Report) Fail(check, change, found string, args ...any) {
	r.add(check, Fail, change, found, args)
}

func (r *Report) add(check string, status Status, change, found string, args []any) {
	*r = append(*r, Finding{check, status, fmt.Sprintf(found, args...), change})
}

// Has tells whether anything of check has been noted.
func (r *Report) Has(check string) bool {
	for i := range *r {
		if (*r)[i].Check == check {
			return true
		}
	}
	return false
}

// Count is how many findings are of a status.
func (r *Report) Count(s Status) (n int) {
	for i := range *r {
		if (*r)[i].Status == s {
			n++
		}
	}
	return n
}

// Text writes a line for each finding, for people.
func (r *Report) Text(w io.Writer) error {
	widest := 0
	for i := range *r {
		widest = max(widest, len((*r)[i].Check))
	}
	for i := range *r {
		f := &(*r)[i]
		line := fmt.Sprintf("%-4s  %-*s  %s", f.Status, widest, f.Check, f.Found)
		if f.Change != "" {
			line += ": " + f.Change
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// JSON writes them for programs.
func (r *Report) JSON(w io.Writer) error {
	status := OK
	for _, s := range []Status{Warn, Fail} {
		if r.Count(s) > 0 {
			status = s
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Status Status    `json:"status"`
		Checks []Finding `json:"checks"`
	}{status, append([]Finding{}, *r...)})
}

// Clocks that differ by more than these are worth a word: times of receipt decide which of two deliveries is the first.
const (
	skewWorthAWord = time.Second
	skewTooFar     = time.Minute
)

// Clock notes how far a server's clock is from ours. asked and answered are ours, before and after it told its time.
func (r *Report) Clock(check, whose string, told, asked, answered time.Time) {
	ahead := told.Sub(asked.Add(answered.Sub(asked) / 2))
	unsure := answered.Sub(asked) / 2
	off := max(ahead.Abs()-unsure, 0)
	const change = "have both machines keep time with the same NTP servers"
	found := fmt.Sprintf("%s's clock is %s of ours", whose, sides(ahead.Round(time.Millisecond)))
	switch {
	case off > skewTooFar:
		r.Fail(check, change, "%s", found)
	case off > skewWorthAWord:
		r.Warn(check, change, "%s", found)
	default:
		r.OK(check, "%s", found)
	}
}

func sides(ahead time.Duration) string {
	if ahead < 0 {
		return fmt.Sprintf("%s behind", -ahead)
	}
	return fmt.Sprintf("%s ahead", ahead)
}

// Some is a number of things.
func Some[N int | int64](n N, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
