package deploy

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
)

// scraped is the interval between samples. Series have the format of promtool's tests: "0+60x30" is 31 samples, each 60
// more than the one before.
const scraped = time.Minute

// series are stored series, with the interface that Prometheus's query engine needs.
type series []storage.Series

func parse(t *testing.T, lines ...string) (all series) {
	t.Helper()
	for _, line := range lines {
		name, values, err := promqlParser.ParseSeriesDesc(line)
		require.NoError(t, err, line)
		var samples []chunks.Sample
		for i, v := range values {
			if !v.Omitted {
				samples = append(samples, sample{int64(i) * scraped.Milliseconds(), v.Value})
			}
		}
		all = append(all, storage.NewListSeries(name, samples))
	}
	slices.SortFunc(all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return all
}

// sample is a value at a time.
type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// Querier implements storage.Queryable.
func (s series) Querier(int64, int64) (storage.Querier, error) { return s, nil }

// Select implements storage.Querier.
func (s series) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var met series
	for _, one := range s {
		if all(matchers, one.Labels()) {
			met = append(met, one)
		}
	}
	return &selected{left: met}
}

func all(matchers []*labels.Matcher, of labels.Labels) bool {
	for _, m := range matchers {
		if !m.Matches(of.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues implements storage.Querier.
func (series) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	panic("BUG: queries do not ask for it")
}

// LabelNames implements storage.Querier.
func (series) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	panic("BUG: queries do not ask for it")
}

// Close implements storage.Querier.
func (series) Close() error { return nil }

// selected iterates over the selected series.
type selected struct {
	left series
	at   storage.Series
}

func (s *selected) Next() bool {
	if len(s.left) == 0 {
		return false
	}
	s.at, s.left = s.left[0], s.left[1:]
	return true
}
func (s *selected) At() storage.Series                { return s.at }
func (s *selected) Err() error                        { return nil }
func (s *selected) Warnings() annotations.Annotations { return nil }

var queries = promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, Parser: promqlParser, LookbackDelta: 5 * time.Minute})

// ask evaluates an expression at a time after the first sample.
func (s series) ask(t *testing.T, expression string, at time.Duration) promql.Vector {
	t.Helper()
	query, err := queries.NewInstantQuery(t.Context(), s, nil, expression, time.UnixMilli(at.Milliseconds()))
	require.NoError(t, err)
	defer query.Close()
	answer, err := query.Exec(t.Context()).Vector()
	require.NoError(t, err, expression)
	return slices.Clone(answer)
}
