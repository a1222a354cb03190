package consoletest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// page is a tab in a profile of its own: no page shares cookies with another.
type page struct {
	t   testing.TB
	ctx context.Context

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
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	p := &page{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, p.notice)
	require.NoError(t, chromedp.Run(ctx, watch...)) // the first run opens the tab, and its context is the tab's
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
	require.NoError(p.t, p.try(chromedp.Navigate(url)), url)
}

// try does something within our patience.
func (p *page) try(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// until tries again and again, for pages change under one's hands.
func (p *page) until(what string, attempt func(ctx context.Context) error) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(glance) {
		err := p.try(chromedp.ActionFunc(attempt))
		if err == nil {
			return
		}
		require.True(p.t, time.Now().Before(deadline), "%s: %v", what, err)
	}
}

// evaluate has the page work out a JavaScript expression, be it a promise, into a value. No policy of the page's keeps it from that.
func (p *page) evaluate(expression string, into any) {
	p.t.Helper()
	require.NoError(p.t, p.try(chromedp.Evaluate(expression, into, awaitPromise)), expression)
}

func awaitPromise(params *runtime.EvaluateParams) *runtime.EvaluateParams {
	return params.WithAwaitPromise(true)
}

// describe is where the page is and what can be read there, for a failure's message.
func (p *page) describe() string {
	var said struct{ URL, Text string }
	err := p.try(chromedp.Evaluate(`({URL: location.href, Text: document.body?.innerText ?? ""})`, &said))
	if err != nil {
		return fmt.Sprintf("a place that does not answer: %v", err)
	}
	return said.URL + ", and said:\n" + strings.TrimSpace(said.Text)
}
