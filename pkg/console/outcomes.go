package console

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/console/insight"
)

// outcomesBody is the page of plots.
type outcomesBody struct {
	span
	Filter        insight.Filter
	Order         string
	Events        insight.Events
	Values        insight.Values
	Types         insight.Types
	Unclassified  insight.Unclassified
	Conversations insight.Conversations
	Freshness     insight.Freshness
	Lag           int64
	LagUnknown    string
	charts        map[string]chart
}

// Chart is one of the plots.
func (b *outcomesBody) Chart(name string) chart { return b.charts[name] }

func (c *Console) outcomes(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	within, preset, err := rangeOf(q, "24h")
	if err != nil {
		c.fail(w, r, inputError(err.Error()))
		return
	}
	body := &outcomesBody{span: newSpan(Base+"/outcomes", q, within, preset), Order: q.Get("order"),
		Filter: insight.Filter{Range: within, Product: q.Get("product")}}
	ctx, cancel := bounded(r)
	defer cancel()
	if err := c.readOutcomes(ctx, body); err != nil {
		c.fail(w, r, err)
		return
	}
	body.charts = chartsOf(&body.Events, &body.Values, &body.Freshness)
	c.show(w, r, http.StatusOK, "outcomes", "outcomes", "Outcomes", body)
}

// questionsAtOnce bounds how many of a page's questions ClickHouse has at once.
const questionsAtOnce = 3

// readOutcomes asks all of the page's questions.
func (c *Console) readOutcomes(ctx context.Context, b *outcomesBody) error {
	i, now := c.deps.Insight, time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(questionsAtOnce)
	ask := func(question func() error) { group.Go(question) }
	ask(func() (err error) { b.Events, err = i.Events(ctx, b.Filter); return err })
	ask(func() (err error) { b.Values, err = i.Values(ctx, b.Filter); return err })
	ask(func() (err error) { b.Types, err = i.Types(ctx, b.Filter); return err })
	ask(func() (err error) { b.Unclassified, err = i.Unclassified(ctx, b.Filter); return err })
	ask(func() (err error) {
		b.Conversations, err = i.Conversations(ctx, b.Filter, insight.ConversationOrder(b.Order))
		return err
	})
	ask(func() (err error) { b.Freshness, err = i.Freshness(ctx, b.Filter.Product, now); return err })
	ask(func() error {
		lag, err := c.deps.Stream.Lag(ctx, c.config.Group)
		if b.Lag = lag; err != nil {
			b.LagUnknown = err.Error()
		}
		return nil
	})
	ask(func() error {
		all, err := c.deps.Connections.List(ctx)
		if err != nil {
			return err
		}
		b.Products = productsOf(all)
		return nil
	})
	return group.Wait()
}
