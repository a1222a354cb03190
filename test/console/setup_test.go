package console

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The way of the documentation's "Connect a source", and all that can be done to a connection after it.
func TestFromASourceToItsOutcomesAndBack(t *testing.T) {
	t.Parallel()
	m := up(t)
	p := open(t, m.Admin+"/console")
	s := createSource(p, "torrent") // which shares its partition with no test that posts many: the first message would not be among the last
	firstEvent(p)
	p.click(named("link", "I have copied it: show events"))
	seeItArrive(p, s)
	goBack(p, s)
	p.visit(m.Admin + "/console/connections/" + s.id)
	outcome(p, m, s)

	all := []source{s}
	p.visit(m.Admin + "/console/connections/" + s.id)
	pauseAndResume(p, s)
	s = rotate(p, s)
	all = append(all, s)
	secret(p, s)
	testEvent(p)
	leaksNothing(p, m, append(tokens(all), sharedSecret))
	disconnectAndDelete(p, s)
}

func tokens(all []source) (tokens []string) {
	for _, s := range all {
		tokens = append(tokens, s.token())
	}
	return tokens
}

// createSource follows the list's button to the page that has the URL, and returns what its owner copies there.
func createSource(p *page, product string) source {
	p.t.Helper()
	p.click(named("link", "Connect a source"))
	p.fill(css("#product"), product)
	p.fill(css("#name"), "The shop")
	p.click(named("button", "Create source"))
	p.sees("shown only now")
	p.has(css(".status.waiting"))
	p.click(css(`[data-copies="url"]`))
	p.sees("Copied")
	copied := p.clipboard()
	require.Equal(p.t, p.textOf(css("#url")), copied)
	return sourceOf(p.t, copied, product)
}

// firstEvent runs the line that is there to be copied, and sees the status change before its eyes.
func firstEvent(p *page) {
	p.t.Helper()
	evaluate[bool](p, `window.sameDocument = true`)
	p.click(css(`[data-copies="curl"]`))
	p.until("the line is copied", func(context.Context) error {
		if line := p.clipboard(); !strings.HasPrefix(line, "curl ") {
			return fmt.Errorf("%q", line)
		}
		return nil
	})
	answer, err := exec.CommandContext(p.t.Context(), "sh", "-c", p.clipboard()).Output()
	require.NoError(p.t, err)
	require.JSONEq(p.t, `{"received":1,"accepted":1,"dropped":0}`, string(answer))
	p.has(css(".status.active"))
	require.True(p.t, evaluate[bool](p, `window.sameDocument === true`), "the page was not loaded anew")
}

// seeItArrive watches a message on its way.
func seeItArrive(p *page, s source) {
	p.t.Helper()
	p.sees("Order Completed") // what came before is shown, too
	p.sees("All new messages are shown.")
	evaluate[bool](p, `(() => {
		window.stages = []
		new MutationObserver(() => document.querySelectorAll(".stages").forEach(s => window.stages.push(s.innerText.split(/\s+/).join(" "))))
			.observe(document.body, {subtree: true, childList: true})
		return true
	})()`)
	require.Equal(p.t, 200, s.post(fmt.Sprintf(`{"type":"track","event":"Plan Upgraded","userId":"ann","timestamp":%q,
		"context":{"groupId":"acme"},"properties":{"revenue":"1,234.50","currency":"eur","gf_conversation_id":"chat-7"}}`, time.Now().UTC().Format(time.RFC3339))))
	for _, part := range []string{"Plan Upgraded", "positive", "revenue", "value 1,234.50 EUR", "user ann", "organization acme", "conversation chat-7"} {
		p.seesIn(css(".messages > li:first-child"), part)
	}
	p.seesIn(css(".messages > li:first-child"), "attributed") // to the organization
	s.tell("identify", `{"externalUserId":"user_test_123","email":"grace@example.com"}`)
	p.seesIn(css(".messages > li:nth-child(3)"), "attributed") // the first, below the identify, was nobody's until now
	seen := evaluate[[]string](p, `window.stages`)
	require.Contains(p.t, seen, "accepted not stored yet")
	require.Contains(p.t, seen, "accepted stored not attributed yet")
}

// goBack goes back to where the URL was, and does not find it.
func goBack(p *page, s source) {
	p.t.Helper()
	evaluate[bool](p, `history.back(), true`)
	p.until("another page is there", func(ctx context.Context) error {
		page, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title + document.documentElement.outerHTML`))
		if err == nil && strings.HasPrefix(page, "The shop") {
			err = errors.New("it is not")
		}
		require.NotContains(p.t, page, s.token())
		return err
	})
	p.sees("A URL is shown only once.")
	p.complains("410")
}
