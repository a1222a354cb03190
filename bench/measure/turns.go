//go:build linux

package measure

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Values are what one run of one contender gave, by the quantity's name with its unit.
type Values map[string]float64

// Contender is one of the things that are compared.
type Contender struct {
	Name string
	Run  func(ctx context.Context) (Values, error)
}

// Series is what a contender gave in all rounds.
type Series struct {
	Name   string
	Rounds []Values
}

// Turns has the contenders run one after the other, and that rounds times: what the machine does beside it, or how it
// warms up, then falls on all of them alike. What is going on is written to progress. The first error ends it.
func Turns(ctx context.Context, progress io.Writer, rounds int, contenders []Contender) ([]Series, error) {
	all := make([]Series, len(contenders))
	for round := range rounds {
		for i, c := range contenders {
			all[i].Name = c.Name
			begin := time.Now()
			values, err := c.Run(ctx)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("round %d of %s: %w", round+1, c.Name, err)
			}
			all[i].Rounds = append(all[i].Rounds, values)
			fmt.Fprintf(progress, "%s  round %d of %d  %-28s %s (%s)\n", time.Now().Format("15:04:05"), round+1, rounds, c.Name, values, time.Since(begin).Round(time.Second))
		}
	}
	return all, nil
}
