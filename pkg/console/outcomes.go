package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/console/query"
)

// outcomesBody is the content of the page of charts.
type outcomesBody struct {
	rangeForm
	Filter        query.Filter
	Order         string
	Events        query.Events
	Values        query.Values
	Types         query.Types
	Unclassified  query.Unclassified
	Conversations query.Conversations
	Freshness     query.Freshness
	Lag           int64
	LagError      string
	Problems      []string // failed queries
	charts        map[string]chart
}

// Chart returns a chart by name.
func (b *outcomesBody) Chart(name string) chart { return b.charts[name] }

func (c *Console) outcomes(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	within, preset, err := parseRange(q, "24h")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	body := &outcomesBody{
		rangeForm: newRangeForm(Base+"/outcomes", q, within, preset), Order: q.Get("order"),
		Filter: query.Filter{Range: within, Product: q.Get("product")},
	}
	ctx, cancel := pageContext(r)
	defer cancel()
	c.readOutcomes(ctx, body)
	body.charts = chartsOf(&body.Events, &body.Values, &body.Freshness)
	c.show(w, r, http.StatusOK, "outcomes", "outcomes", "Outcomes", body)
}

// maxConcurrentQueries limits the concurrent queries of one page.
const maxConcurrentQueries = 3

// readOutcomes runs the page's queries. A failed query leaves only its own part of the page empty.
func (c *Console) readOutcomes(ctx context.Context, b *outcomesBody) {
	i, now := c.deps.Query, time.Now()
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(maxConcurrentQueries)
	ask := func(about string, question func() error) {
		group.Go(func() error {
			if err := recoverPanic(question); err != nil {
				mu.Lock()
				defer mu.Unlock()
				b.Problems = append(b.Problems, about+": "+err.Error())
			}
			return nil
		})
	}
	ask("events", func() (err error) { b.Events, err = i.Events(ctx, b.Filter); return err })
	ask("value", func() (err error) { b.Values, err = i.Values(ctx, b.Filter); return err })
	ask("event types", func() (err error) { b.Types, err = i.Types(ctx, b.Filter); return err })
	ask("unclassified types", func() (err error) { b.Unclassified, err = i.Unclassified(ctx, b.Filter); return err })
	ask("conversations", func() (err error) {
		b.Conversations, err = i.Conversations(ctx, b.Filter, query.ConversationOrder(b.Order))
		return err
	})
	ask("freshness", func() (err error) { b.Freshness, err = i.Freshness(ctx, b.Filter.Product, now); return err })
	ask("lag", func() (err error) {
		if b.Lag, err = c.deps.Stream.Lag(ctx, c.config.Group); err != nil {
			b.LagError = err.Error()
		}
		return nil
	})
	ask("products", func() error {
		all, err := c.deps.Connections.List(ctx)
		b.Products = productsOf(all)
		return err
	})
	_ = group.Wait() // errors are in Problems
	slices.Sort(b.Problems)
	if len(b.Problems) > 0 {
		c.metrics.failed.Inc()
	}
}

// recoverPanic calls query and converts a panic to an error. In millrace up a panic would also end edge and loader.
func recoverPanic(question func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("BUG: it panicked: %T", panicked)
		}
	}()
	return question()
}
