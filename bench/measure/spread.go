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

// Spread is the median of some rounds with the least and the most of them.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// SpreadOf takes the rounds' values; none at all has N 0.
func SpreadOf(values ...float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	half := len(v) / 2
	median := v[half]
	if len(v)%2 == 0 {
		median = (v[half-1] + v[half]) / 2
	}
	return Spread{median, v[0], v[len(v)-1], len(v)}
}

// Of is the spread of one quantity.
func (s Series) Of(quantity string) Spread {
	var values []float64
	for _, round := range s.Rounds {
		if v, found := round[quantity]; found {
			values = append(values, v)
		}
	}
	return SpreadOf(values...)
}

// Ratio is the spread of a quantity over that of another in the same round: what slows both down falls out of it.
func (s Series) Ratio(over Series, quantity string) Spread {
	var ratios []float64
	for i := range min(len(s.Rounds), len(over.Rounds)) {
		a, found := s.Rounds[i][quantity]
		if b := over.Rounds[i][quantity]; found && b != 0 {
			ratios = append(ratios, a/b)
		}
	}
	return SpreadOf(ratios...)
}

// String is the median and, of several rounds, how far they spread.
func (s Spread) String() string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return Number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", Number(s.Median), Number(s.Min), Number(s.Max))
}

// Number writes three digits that count, and commas between thousands.
func Number(v float64) string {
	if a := math.Abs(v); a == 0 || a >= 100 {
		return thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	}
	return strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(math.Abs(v)))), 64)
}

func thousands(digits string) string {
	sign, digits := digits[:len(digits)-len(strings.TrimPrefix(digits, "-"))], strings.TrimPrefix(digits, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// String is for the screen.
func (v Values) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, name+" "+Number(v[name]))
	}
	return strings.Join(parts, ", ")
}
