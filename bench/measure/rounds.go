//go:build linux

package measure

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Values are the results of one round of one contender, by the quantity's name with its unit.
type Values map[string]float64

// Contender is one of the things that are compared.
type Contender struct {
	Name string
	Run  func(ctx context.Context) (Values, error)
}

// Series are the results of a contender in all rounds.
type Series struct {
	Name   string
	Rounds []Values
}

// Rounds runs the contenders one after the other, n times. Alternating spreads the machine's other load and its warm-up
// evenly over all contenders. It writes each result to progress and returns the first error.
func Rounds(ctx context.Context, progress io.Writer, n int, contenders []Contender) ([]Series, error) {
	all := make([]Series, len(contenders))
	for round := range n {
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
			took := time.Since(begin).Round(time.Second)
			fmt.Fprintf(progress, "%s  round %d of %d  %-28s %s (%s)\n",
				time.Now().Format("15:04:05"), round+1, n, c.Name, values, took)
		}
	}
	return all, nil
}
