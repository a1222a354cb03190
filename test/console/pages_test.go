package console

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every page can be used by everybody: light and dark, wide and narrow, with the keyboard or a screen reader. The
// pictures in the docs are of these. No other test runs while they are taken: there is nothing in them that another has
// made.
func TestEveryPageForEverybody(t *testing.T) {
	if !*update {
		t.Parallel()
	}
	m := up(t)
	shop, desk := aDay(t, m)
	console := m.Admin + "/console"
	p := open(t, console+"/connections")
	p.seesIn(css("#status-"+shop.id), "active")
	p.inspect("connections")

	p.visit(console + "/connections/" + shop.id)
	p.sees("All new messages are shown.")
	require.Equal(t, http.StatusOK, shop.post(moments()))
	p.seesIn(css(".messages"), "conversation chat-4700")
	p.inspect("connection")
	p.visit(evaluate[string](p, `[...document.querySelectorAll(".messages > li")].find(li => li.innerText.includes("chat-4700")).querySelector("a").href`))
	p.sees("Fields and rules")
	p.inspect("message")

	p.visit(console + "/outcomes?product=shop")
	p.seesIn(css("section:has(#h-conversations)"), "chat-4711 shop")
	p.seesIn(css("section:has(#h-unclassified)"), "Search Used")
	p.seesIn(css("section:has(#h-types)"), "Order Completed")
	p.seesIn(css("dl.facts"), "messages") // that wait for the loaders: another test floods them
	p.inspect("outcomes")
	p.visit(console + "/dead-letters?product=shop&reason=missing_event")
	p.sees("Replay selected")
	p.inspect("dead-letters")
	p.visit(console + "/connections/" + desk.id + "/delete")
	p.sees("Delete permanently")
	p.inspect("ask")

	p.visit(console + "/connections/new")
	p.fill(css("#product"), "shop")
	p.click(named("button", "Create source"))
	p.sees("shown only now")
	evaluate[bool](p, `["url", "curl"].every(id => { // no secret is in a picture
		const e = document.getElementById(id)
		return e.textContent = e.textContent.replace(/http[^"]*mr1_[^"]*/, "https://in.example.com/v1/segment/mr1_THIS-IS-NO-REAL-TOKEN_0000000000000000000000000000000")
	})`)
	p.inspect("created")
	p.visit(console + "/whatif")
	p.click(named("button", "Show result"))
	p.sees("Message 1")
	p.inspect("whatif")
}
