package console

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// page is a tab in a profile of its own: no page shares cookies with another.
type page struct {
	t   testing.TB
	ctx context.Context

	images string   // where its pictures go
	wanted []string // which are made
	drawn  bool     // whether any are made

	mu         sync.Mutex
	complaints []string // what was wrong and nobody has expected
	accepts    bool     // the next question is answered with yes
	asked      []string // the questions that were
}

// open opens a page at that URL, wide and light. When the test ends, whatever the page has complained of fails it.
func open(t testing.TB, url string) *page {
	t.Helper()
	browser, err := theBrowser()
	require.NoError(t, err)
	p := &page{t: t, images: filepath.Join("..", "..", "docs", "images"), wanted: pictured, drawn: *update}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.notice))
	p.ctx = ctx
	require.NoError(t, watch(ctx)) // it opens the tab, which lasts as long as this context
	t.Cleanup(func() {
		for _, complaint := range p.take("") {
			t.Errorf("the page complains of %s", complaint)
		}
		if t.Failed() {
			t.Logf("the page was at %s", p.describe())
		}
		cancel()
	})
	p.as(wideLight)
	p.visit(url)
	return p
}

// visit goes to another URL, as typing it would.
func (p *page) visit(url string) {
	p.t.Helper()
	require.NoError(p.t, p.try(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.Navigate(url)) }), url)
}

// try does something within our patience.
func (p *page) try(something func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return something(ctx)
}

// until tries again and again, for pages change under one's hands.
func (p *page) until(what string, attempt func(ctx context.Context) error) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(glance) {
		err := p.try(attempt)
		if err == nil {
			return
		}
		require.True(p.t, time.Now().Before(deadline), "%s: %v", what, err)
	}
}

// evaluate has the page work out a JavaScript expression, be it a promise. No policy of the page's keeps it from that.
func evaluate[T any](p *page, expression string) (value T) {
	p.t.Helper()
	require.NoError(p.t, p.try(func(ctx context.Context) (err error) {
		value, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		return err
	}))
	return value
}

// describe is where the page is and what can be read there, for a failure's message.
func (p *page) describe() string {
	said := "a place that does not answer"
	_ = p.try(func(ctx context.Context) (err error) {
		said, err = chromedp.Run(ctx, chromedp.Evaluate[string]("`${location.href}, and said:\\n${document.body?.innerText}`"))
		return err
	})
	return said
}
