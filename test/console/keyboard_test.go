package console

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// All of it goes by the keyboard alone, and one sees where one is.
func TestByKeyboardAlone(t *testing.T) {
	t.Parallel()
	m := up(t)
	p := open(t, m.Admin+"/console/connections")
	p.press(kb.Tab)
	require.Equal(t, "Skip to the content", focused(p))
	p.press(kb.Enter)
	p.has(css("main:focus"))
	tabTo(p, "Connect a source")
	p.press(kb.Enter)
	p.has(css("#product"))
	tabTo(p, "product")
	p.press("keys")
	tabTo(p, "Create source")
	p.press(kb.Enter)
	p.sees("shown only now")
	s := sourceOf(t, p.textOf(css("#url")), "keys")
	tabTo(p, "Copy") // another test has the clipboard
	tabTo(p, "I have copied it: show events")
	p.press(kb.Enter)
	p.sees("New messages")
	tabTo(p, "Pause")
	p.press(kb.Enter)
	p.sees("Pause this connection?")
	tabTo(p, "Pause")
	p.press(kb.Enter)
	p.has(css(".status.paused"))
	require.Equal(t, http.StatusNoContent, s.post(signedUp))
}

// tabTo presses Tab until what has the focus says that, or has that id.
func tabTo(p *page, what string) {
	p.t.Helper()
	for range 60 {
		p.press(kb.Tab)
		if now := focused(p); now == what {
			return
		}
	}
	require.Fail(p.t, "no key leads there", what)
}

// focused is what has the focus: its text, or its id if it has none. It can be seen, and so can that it has it.
func focused(p *page) string {
	p.t.Helper()
	type state struct{ Text, Fault string }
	now := evaluate[state](p, `(() => {
		const e = document.activeElement
		if (e === document.body) return {text: "", fault: ""}
		const box = e.getBoundingClientRect(), style = getComputedStyle(e)
		const fault = box.right <= 0 || box.bottom <= 0 || box.left >= innerWidth || box.top >= innerHeight ? "it is not in the window" :
			style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2 ? "nothing shows that it has the focus" : ""
		return {text: e.innerText?.trim() || e.id, fault}
	})()`)
	require.Empty(p.t, now.Fault, "%q has the focus", now.Text)
	return now.Text
}
