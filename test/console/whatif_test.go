package console

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is pasted is explained, and leaves no trace.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	m := up(t)
	p := open(t, m.Admin+"/console/whatif")
	try := func(text string) {
		t.Helper()
		p.fill(css("#message"), text)
		p.click(named("button", "Show result"))
	}
	try(`{"type":"track","event":"What If Upgraded","userId":"u","properties":{"price":"2.50","quantity":3,"currency":"chf"}}`)
	p.seesIn(css("main section"), "event_type What If Upgraded event")
	p.seesIn(css("main section"), "influence positive")
	p.seesIn(css("main section"), "7.5")
	p.seesIn(css("main section"), "CHF")

	try(`{"context":{"groupId":"acme"},"batch":[{"type":"page","name":"What If Page"},{"type":"track"},{"type":"identify","userId":"u"},7]}`)
	p.seesIn(css(`[aria-label="Message 1"]`), "acme")
	p.seesIn(css(`[aria-label="Message 2"]`), "missing_event")
	p.seesIn(css(`[aria-label="Message 3"]`), "ignored_type")
	p.seesIn(css(`[aria-label="Message 4"]`), "not_a_message")

	try(`{"type":"track",`)
	p.sees("the edge would refuse this body")
	p.complains("400")

	s := m.connect(t, "whatif", "", "")
	require.Equal(t, http.StatusOK, s.post(`{"type":"track","event":"What If Stored"}`))
	m.await(t, "1", "SELECT count() FROM events WHERE product_id = 'whatif'") // what came before it would be there
	require.Equal(t, "1\t0", m.ask(t, "SELECT (SELECT count() FROM events WHERE event_type LIKE 'What If%'), (SELECT count() FROM dead_letters WHERE message LIKE '%What If%')"))
}
