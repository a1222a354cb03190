package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Dead letters are found by reason, read, and replayed. What cannot be mapped is dead once more, and nothing is counted
// twice.
func TestDeadLettersAndTheirReplay(t *testing.T) {
	t.Parallel()
	m := up(t)
	s := m.connect(t, "dead-letters", "", "")
	require.Equal(t, http.StatusOK, s.post(`[{"type":"track","userId":"a"},{"type":"track","userId":"b"},{"type":"track","userId":"c"},
		{"type":"track","event":"x","properties":"none"},{"type":"track","event":"x","properties":1},{"type":"track","event":"Good","messageId":"g"}]`))
	of := " FROM dead_letters FINAL WHERE product_id = 'dead-letters' AND reason = 'missing_event'"
	m.await(t, "3", "SELECT count()"+of)
	m.await(t, "2", "SELECT count() FROM dead_letters WHERE product_id = 'dead-letters' AND reason = 'invalid_properties'")

	p := open(t, m.Admin+"/console/dead-letters")
	p.fill(css("#r-product"), "dead-letters")
	p.click(named("button", "Show"))
	p.seesIn(css("table.cards"), "missing_event 3")
	p.seesIn(css("table.cards"), "invalid_properties 2")
	p.click(named("link", "missing_event"))
	p.sees("needs an event name in event") // what to do
	at := evaluate[[]string](p, `[...document.querySelectorAll(".messages input")].map(i => i.value)`)
	require.Len(t, at, 3)
	for _, one := range at {
		require.True(t, strings.HasPrefix(one, "millrace.dead-letters/"), one)
		p.sees(one)
	}
	chosen := p.textOf(css(".messages > li:first-child pre"))
	p.click(css(".messages > li:first-child a:not(.id)"))
	p.seesIn(css("#raw"), `"type": "track"`)
	p.visit(m.Admin + "/console/dead-letters?" + url.Values{"product": {"dead-letters"}, "reason": {"missing_event"}}.Encode())
	p.click(css(".messages > li:nth-child(1) input"))
	p.click(css(".messages > li:nth-child(2) input"))
	p.click(named("button", "Replay selected"))
	p.sees("2 chosen dead letters")
	p.sees("2 replayed")
	p.sees("Done.")
	m.await(t, "5", "SELECT count()"+of)
	require.Equal(t, "3\t2", m.ask(t, "SELECT uniqExact(message), countIf(message = "+quoted(chosen)+")"+of))

	replayAll(p, m)
	m.await(t, "1", "SELECT count() FROM events FINAL WHERE product_id = 'dead-letters'")
}

// replayAll replays a whole reason. Copies of the letters from before are left out: the letters stand for them.
func replayAll(p *page, m *millrace) {
	p.t.Helper()
	p.visit(m.Admin + "/console/dead-letters?" + url.Values{"product": {"dead-letters"}, "reason": {"missing_event"}}.Encode())
	p.click(css(`button[value="all"]`))
	p.sees("dead letters because of missing_event of product dead-letters")
	p.sees("3 replayed")
	p.sees("Done.")
	m.await(p.t, "8\t3", "SELECT count(), uniqExact(message) FROM dead_letters FINAL WHERE product_id = 'dead-letters' AND reason = 'missing_event'")
	p.inspect("replay")
	p.sees("2 skipped as duplicates")
}
