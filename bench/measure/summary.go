//go:build linux

package measure

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Summary is the median, minimum and maximum of N rounds.
type Summary struct {
	Median, Min, Max float64
	N                int
}

// Summarize returns the summary of the rounds' values. Without values its N is 0.
func Summarize(values ...float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	v := slices.Sorted(slices.Values(values))
	half := len(v) / 2
	median := v[half]
	if len(v)%2 == 0 {
		median = (v[half-1] + v[half]) / 2
	}
	return Summary{median, v[0], v[len(v)-1], len(v)}
}

// Of is the summary of one quantity.
func (s Series) Of(quantity string) Summary {
	var values []float64
	for _, round := range s.Rounds {
		if v, found := round[quantity]; found {
			values = append(values, v)
		}
	}
	return Summarize(values...)
}

// Ratio is the summary of a quantity divided by that of another series in the same round. What slows down both
// contenders of a round cancels out.
func (s Series) Ratio(other Series, quantity string) Summary {
	var ratios []float64
	for i := range min(len(s.Rounds), len(other.Rounds)) {
		a, found := s.Rounds[i][quantity]
		if b := other.Rounds[i][quantity]; found && b != 0 {
			ratios = append(ratios, a/b)
		}
	}
	return Summarize(ratios...)
}

// String is the median and, for several rounds, the minimum and maximum.
func (s Summary) String() string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return Number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", Number(s.Median), Number(s.Min), Number(s.Max))
}

// Number formats three significant digits, with commas between thousands.
func Number(v float64) string {
	if a := math.Abs(v); a == 0 || a >= 100 {
		return thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	}
	return strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(math.Abs(v)))), 64)
}

func thousands(number string) string {
	digits := strings.TrimPrefix(number, "-")
	sign := number[:len(number)-len(digits)]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// String lists all quantities by name.
func (v Values) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, name+" "+Number(v[name]))
	}
	return strings.Join(parts, ", ")
}
