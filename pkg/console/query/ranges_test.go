package query

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPresets(t *testing.T) {
	points := map[string]int{"1h": 120, "6h": 180, "24h": 144, "7d": 168, "30d": 120}
	for _, p := range Presets {
		for _, now := range []time.Time{asking, noon, noon.Add(time.Millisecond)} {
			r, err := Last(p.Name, now)
			require.NoError(t, err)
			require.Equal(t, p.Span, r.Until.Sub(r.From))
			require.Len(t, r.times(), points[p.Name])
			require.True(t, r.Until.After(now), "what comes now is in it")
			require.Less(t, r.stepIndex(now), points[p.Name])
		}
	}
	_, err := Last("1y", noon)
	require.ErrorContains(t, err, "choose 1h, 6h, 24h, 7d or 30d")
}

func TestARangeOfOnesOwnHasPointsEnough(t *testing.T) {
	for range 10_000 {
		from := time.Unix(rand.Int64N(1<<31), 0)
		span := time.Duration(rand.Int64N(int64(minSpan) << rand.N(23)))
		r, err := Between(from, from.Add(minSpan+span))
		require.NoError(t, err)
		times := r.times()
		require.GreaterOrEqual(t, len(times), 60, span)
		require.LessOrEqual(t, len(times), maxPoints, span)
		require.False(t, r.From.After(from))
		require.False(t, r.Until.Before(from.Add(minSpan+span)))
		require.Equal(t, len(times)-1, r.stepIndex(r.Until.Add(-time.Millisecond)))
	}
	for _, wrong := range [][2]time.Time{{noon, noon}, {noon, noon.Add(-time.Hour)}, {time.Unix(-1, 0), noon}, {noon, noon.AddDate(80, 0, 0)}, {time.Unix(0, 0), noon}} {
		_, err := Between(wrong[0], wrong[1])
		require.ErrorContains(t, err, "a range must")
	}
}
