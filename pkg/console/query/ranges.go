package query

import (
	"errors"
	"fmt"
	"time"
)

// Range is the time from From until before Until. Last and Between create it, so that both are at the start of a step.
type Range struct {
	From, Until time.Time
	Step        int64 // seconds
}

// Preset is a named range that ends now.
type Preset struct {
	Name string
	Span time.Duration
}

// Presets has all presets, shortest first.
var Presets = []Preset{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", day}, {"7d", 7 * day}, {"30d", 30 * day}}

const day = 24 * time.Hour

// steps are readable step widths in seconds. Each is less than three times the one before, so a chart has at least a
// third of maxPoints.
var steps = []int64{
	1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600,
	86400, 2 * 86400, 5 * 86400, 10 * 86400, 28 * 86400,
}

const (
	maxPoints = 200
	minSpan   = time.Minute
	maxSpan   = 15 * 365 * day
)

// Last returns the range of a preset. It includes the current step.
func Last(preset string, now time.Time) (Range, error) {
	for _, p := range Presets {
		if p.Name == preset {
			step := stepOf(p.Span)
			until := ceil(now.Unix()+1, step)
			return Range{until.Add(-p.Span), until, step}, nil
		}
	}
	return Range{}, fmt.Errorf("unknown range %q: choose 1h, 6h, 24h, 7d or 30d", preset)
}

// Between returns a custom range, rounded to whole steps.
func Between(from, until time.Time) (Range, error) {
	switch span := until.Sub(from); {
	case from.Unix() < 0 || until.Year() > 2100:
		return Range{}, errors.New("a range must start in 1970 or later and end by 2100")
	case span < minSpan:
		return Range{}, errors.New("a range must last at least a minute")
	case span > maxSpan:
		return Range{}, errors.New("a range must last at most 15 years")
	}
	step := stepOf(until.Sub(from))
	return Range{floor(from.Unix(), step), ceil(until.Add(time.Second-1).Unix(), step), step}, nil
}

// stepOf returns the smallest step with at most maxPoints steps. Rounding may add two steps.
func stepOf(span time.Duration) int64 {
	for _, step := range steps {
		if int64(span/time.Second) <= step*(maxPoints-2) {
			return step
		}
	}
	return steps[len(steps)-1]
}

func floor(seconds, step int64) time.Time { return time.Unix(seconds-seconds%step, 0).UTC() }

func ceil(seconds, step int64) time.Time { return floor(seconds+step-1, step) }

// times returns the start of each step in Unix seconds.
func (r Range) times() []int64 {
	times := make([]int64, 0, maxPoints)
	for t := r.From.Unix(); t < r.Until.Unix(); t += r.Step {
		times = append(times, t)
	}
	return times
}

// stepIndex returns the index of the step that contains t.
func (r Range) stepIndex(t time.Time) int { return int((t.Unix() - r.From.Unix()) / r.Step) }

const (
	// stepStart is the start of an event's step; fillSteps adds steps without events.
	stepStart = `toDateTime(toStartOfInterval(event_at, toIntervalSecond({step:UInt32})), 'UTC') AS at`
	fillSteps = `ORDER BY at WITH FILL FROM toDateTime({from:` + dateTime + `}, 'UTC') TO toDateTime({until:` + dateTime + `}, 'UTC') STEP toIntervalSecond({step:UInt32})`
)
