//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/parts"
)

// gauge is how far a loader has come, by its own word.
type gauge struct {
	at           time.Time
	events       float64 // committed
	rows, blocks float64
	bytes        float64 // of columns
	misses       float64 // users that were not in memory
}

func gaugeOf(ctx context.Context, loader *parts.Part) (g gauge, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, loader.Admin+"/metrics", nil)
	if err != nil {
		return g, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return g, fmt.Errorf("ask the loader how far it has come: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return g, fmt.Errorf("read the loader's metrics: %w", err)
	}
	sum := func(name string) (sum float64) {
		for _, m := range families["millrace_loader_"+name].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		return sum
	}
	return gauge{time.Now(), sum("records_committed_total"), sum("rows_inserted_total"), sum("blocks_inserted_total"), sum("inserted_bytes_total"), sum("identity_misses_total")}, nil
}

// strangers measures how much of the processors somebody else takes meanwhile. All that a comparison runs comes from this process.
type strangers struct{ busy, there, ours time.Duration }

func watchStrangers() (s strangers) {
	s.busy, s.there = measure.Busy()
	u, _ := measure.UsageOf(os.Getpid()) // it is this one
	s.ours = u.CPU
	return s
}

func (s strangers) share() float64 {
	now := watchStrangers()
	return max(0, float64(now.busy-s.busy-(now.ours-s.ours))/float64(max(1, now.there-s.there)))
}
