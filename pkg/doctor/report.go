package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Status is the result of a check.
type Status string

// The statuses. Fail means that something does not work or breaks a guarantee; Warn that it works but should be
// changed.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is the result of one check.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Change string `json:"change,omitempty"` // what to do about it
}

// Report holds the findings in the order of the checks.
type Report []Finding

// OK adds a finding that needs no change.
func (r *Report) OK(check, found string, args ...any) { r.add(check, OK, "", found, args) }

// Warn adds a finding that should be changed, and how.
func (r *Report) Warn(check, change, found string, args ...any) {
	r.add(check, Warn, change, found, args)
}

// Fail adds a finding that must be changed, and how.
func (r *Report) Fail(check, change, found string, args ...any) {
	r.add(check, Fail, change, found, args)
}

func (r *Report) add(check string, status Status, change, found string, args []any) {
	*r = append(*r, Finding{check, status, fmt.Sprintf(found, args...), change})
}

// Has reports whether there is a finding of check.
func (r *Report) Has(check string) bool {
	for i := range *r {
		if (*r)[i].Check == check {
			return true
		}
	}
	return false
}

// Count returns the number of findings with a status.
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

// Limits on the difference of clocks: times of receipt decide which of two deliveries is the first.
const (
	skewWarn = time.Second
	skewFail = time.Minute
)

// Clock compares a server's clock with the local one. asked and answered are local times around the request.
func (r *Report) Clock(check, server string, told, asked, answered time.Time) {
	ahead := told.Sub(asked.Add(answered.Sub(asked) / 2))
	unsure := answered.Sub(asked) / 2
	off := max(ahead.Abs()-unsure, 0)
	const change = "have both machines keep time with the same NTP servers"
	found := fmt.Sprintf("%s's clock is %s of ours", server, offset(ahead.Round(time.Millisecond)))
	switch {
	case off > skewFail:
		r.Fail(check, change, "%s", found)
	case off > skewWarn:
		r.Warn(check, change, "%s", found)
	default:
		r.OK(check, "%s", found)
	}
}

func offset(ahead time.Duration) string {
	if ahead < 0 {
		return fmt.Sprintf("%s behind", -ahead)
	}
	return fmt.Sprintf("%s ahead", ahead)
}

// Some formats a number of things.
func Some[N int | int64](n N, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
