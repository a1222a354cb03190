package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// More comes than anybody can read: the page shows a sample and says so, keeps its list short, and can be held still.
// Products that share a partition with this one are sampled as well: none of those that other tests watch does.
func TestMoreThanAnybodyCanRead(t *testing.T) {
	t.Parallel()
	m := up(t)
	s := m.connect(t, "deluge", "", "")
	p := open(t, m.Admin+"/console/connections/"+s.id)
	p.sees("Waiting for messages")
	p.has(css(".status.waiting"))
	stop := flood(s, 300) // thousands a second
	p.sees("This is a sample:")
	p.has(css(".status.active"))
	require.NoError(t, stop())
	stop = flood(s, 20) // still more than are shown
	p.until("the list is full", func(context.Context) error {
		if n := listed(p); n != 100 {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
	hold(p)
	require.Equal(t, int64(100), listed(p))
	require.NoError(t, stop())
	filter(p, s)
	needle(p, m, s)
}

// needle is found among more than is read: ClickHouse has it.
func needle(p *page, m *millrace, s source) {
	p.t.Helper()
	stop := flood(s, 300)
	time.Sleep(time.Second)
	require.Equal(p.t, http.StatusOK, s.post(`{"type":"track","event":"Needle Found","userId":"needle-42"}`))
	time.Sleep(time.Second) // by then it is not among the last any more
	p.visit(m.Admin + "/console/connections/" + s.id + "?user=needle-42")
	p.seesIn(css(".messages"), "Needle Found")
	require.NotContains(p.t, p.textOf(css(".messages")), "Item Viewed")
	require.NoError(p.t, stop())
	inTimeOrder(p)

	// A filter also finds events that were stored before the page was opened.
	p.visit(m.Admin + "/console/connections/" + s.id + "?user=ann")
	p.seesIn(css(".messages"), "Cart Opened")
	p.sees("All new matching messages are shown.")
}

// inTimeOrder checks that the list is sorted by time of receipt, newest first.
func inTimeOrder(p *page) {
	p.t.Helper()
	require.True(p.t, evaluate[bool](p, `[...document.querySelectorAll(".messages > li time")].
		every((e, n, all) => n === 0 || Date.parse(all[n - 1].dateTime) >= Date.parse(e.dateTime))`))
}

func listed(p *page) int64 {
	p.t.Helper()
	return evaluate[int64](p, `document.querySelectorAll(".messages > li").length`)
}

// flood posts batches of so many events, ten a second or so, until it is stopped.
func flood(s source, size int) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			err = batch(s.url, size)
			time.Sleep(100 * time.Millisecond)
		}
		ended <- err
	}()
	return func() error { cancel(); return <-ended }
}

func batch(url string, n int) error {
	body := "[" + strings.Repeat(`{"type":"track","event":"Item Viewed","userId":"many"},`, n-1) + `{"type":"track","event":"Item Viewed"}]`
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// hold holds the list still while messages come, and lets it go on.
func hold(p *page) {
	p.t.Helper()
	evaluate[bool](p, `(() => {
		window.came = 0
		document.addEventListener("htmx:sseBeforeMessage", e => { if (e.target.matches(".messages")) window.came++ })
		return true
	})()`)
	more := func() {
		p.t.Helper()
		before := evaluate[int64](p, `window.came`)
		p.until("more comes", func(context.Context) error {
			if evaluate[int64](p, `window.came`) < before+2 {
				return errors.New("it does not")
			}
			return nil
		})
	}
	first := func() string { return evaluate[string](p, `document.querySelector(".messages > li").id`) }
	p.click(named("button", "Pause the list"))
	held := first()
	more()
	require.Equal(p.t, held, first())
	p.until("the button counts the waiting messages", func(ctx context.Context) error {
		text, err := css(`[data-pauses]`).text(ctx)
		if err == nil && (!strings.HasSuffix(text, " waiting)") || strings.Contains(text, "(0 ")) {
			err = errors.New(text)
		}
		return err
	})
	p.click(css(`[data-pauses]`))
	more()
	inTimeOrder(p)
	require.NotEqual(p.t, held, first())
}

// filter looks for one among the many.
func filter(p *page, s source) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, s.post(`[{"type":"track","event":"Cart Opened","userId":"ann"},{"type":"track","event":"Payment Failed","userId":"bob"},
		{"type":"track","event":"Order Completed","userId":"cleo","context":{"traits":{"email":"Cleo@example.com"}}}]`))
	only := func(there string, gone ...string) {
		p.t.Helper()
		p.click(named("button", "Filter"))
		p.has(named("link", "Clear")) // the page is the filtered one
		p.seesIn(css(".messages"), there)
		for _, text := range gone {
			require.NotContains(p.t, p.textOf(css(".messages")), text)
		}
		p.click(named("link", "Clear"))
		p.until("it is not filtered", func(ctx context.Context) error {
			if there, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.search`)); err != nil || there != "" {
				return cmp.Or(err, errors.New(there))
			}
			return nil
		})
	}
	p.fill(css("#f-type"), "cart")
	only("Cart Opened", "Payment Failed", "Order Completed", "Item Viewed")
	p.choose(css("#f-influence"), "negative")
	only("Payment Failed", "Cart Opened", "Order Completed", "Item Viewed")
	p.fill(css("#f-user"), "cleo@EXAMPLE")
	only("Order Completed", "Payment Failed", "Cart Opened", "Item Viewed")
}
