package console

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile are texts that would do something if a page took them for more than text.
var hostile = []string{
	`<script>window.ran = 1</script>`,
	`"><img src=x onerror="window.ran = 1">`,
	`'-alert(1)-' onfocus='alert(1)' autofocus`,
	"`${alert(1)}` {{.}} {{template \"page\" .}}",
	`javascript:alert(1)`,
	`</textarea></pre></script></title><svg onload="window.ran = 1">`,
	`<b hx-get="/console" hx-trigger="load" hx-swap-oob="true" id="main">`,
	"a\r\nevent: cells\r\ndata: <p id=\"main\">gone</p>\r\n\r\nid: 7\nretry: 1",
	"\u202Eright to left\u2066\u200F",
	"nul \x00 escape \x1b[31m bell \x07",
	strings.Repeat("W", 3000),
}

// long is as much as the edge takes of one message, or nearly.
var long = strings.Repeat("long", 130_000)

// said has a text in every place that a message has.
func said(text string) map[string]any {
	return map[string]any{
		"type": "track", "event": text, "userId": text, "anonymousId": text, "messageId": text, "timestamp": text,
		"context": map[string]any{"groupId": text, "traits": map[string]any{"email": text + "@example.com", "name": text}},
		"properties": map[string]any{
			text: text, "revenue": text, "currency": text, "gf_influence": text, "gf_value": text, "gf_conversation_id": text,
			"organization_name": text,
		},
	}
}

func TestHostileMessages(t *testing.T) {
	t.Parallel()
	m := up(t)
	s := m.connect(t, `"><img src=x onerror="window.ran = 1">'{{.}}`, `</h1><script>window.ran = 1</script>javascript:`+strings.Repeat("W", 120), `<svg onload="window.ran = 1">`)
	letters(t, m, s)
	for _, text := range hostile {
		dead := said(text)
		delete(dead, "event")
		require.Equal(t, http.StatusOK, s.post(inJSONOf([]any{said(text), dead})))
	}
	require.Equal(t, http.StatusOK, s.post(`{"type":"track","event":"Long","userId":"u","properties":{"text":"`+long[:500_000]+`"}}`))
	require.Equal(t, http.StatusOK, s.post(`{"type":"track","event":"`+long[:400_000]+`","userId":"u"}`))
	s.tell("conversations", inJSONOf(map[string]any{"externalConversationId": hostile[0], "externalUserId": hostile[1]}))
	m.await(t, fmt.Sprint(len(hostile)+2), "SELECT count() FROM events WHERE product_id = "+quoted(s.product))
	m.await(t, fmt.Sprint(2*len(hostile)), "SELECT count() FROM dead_letters WHERE product_id = "+quoted(s.product))

	p := open(t, m.Admin+"/console/connections/"+s.id)
	p.sees("All new messages are shown.")
	p.sees(hostile[5])
	harmless(p)
	at := evaluate[[]string](p, `[...document.querySelectorAll(".messages a")].map(a => a.href)`)
	require.NotEmpty(t, at)
	for _, address := range at[:min(4, len(at))] {
		p.visit(address)
		harmless(p)
	}
	of := "?product=" + url.QueryEscape(s.product)
	for _, path := range []string{
		"/connections", "/connections/new", "/connections/" + s.id + "/delete", "/outcomes" + of, "/outcomes?range=30d&order=outcomes",
		"/dead-letters" + of, "/dead-letters" + of + "&reason=missing_event", "/dead-letters" + of + "&reason=" + url.QueryEscape(hostile[1]),
		"/connections/" + s.id + "?type=" + url.QueryEscape(hostile[1]) + "&user=" + url.QueryEscape(hostile[5]) + "&influence=" + url.QueryEscape(hostile[0]),
	} {
		p.visit(m.Admin + "/console" + path)
		harmless(p)
	}
	p.visit(m.Admin + "/console/whatif")
	for _, text := range hostile {
		p.on(css("#message"), `function(text) { this.value = text }`, inJSONOf(said(text)))
		p.click(named("button", "Show result"))
		p.sees("Message 1")
		harmless(p)
	}
}

// letters writes dead letters with reasons and details that we would never give, nor any Kafka.
func letters(t *testing.T, m *millrace, s source) {
	t.Helper()
	var rows []string
	for n, text := range hostile {
		rows = append(rows, inJSONOf(map[string]any{
			"workspace_id": text, "product_id": s.product, "connection_id": s.id, "source": text, "received_at": "now",
			"reason": text, "detail": text, "message": text, "context": text, "origin": text, "kafka_topic": text, "kafka_offset": n,
		}))
	}
	text := strings.ReplaceAll(strings.Join(rows, "\n"), `"received_at":"now"`, `"received_at":`+strings.Split(m.ask(t, "SELECT toUnixTimestamp64Milli(now64(3))"), ".")[0])
	m.ask(t, "INSERT INTO dead_letters FORMAT JSONEachRow "+text)
}

// harmless is a page on which nothing ran, nothing became an element, and nothing sticks out.
func harmless(p *page) {
	p.t.Helper()
	p.has(css("#main > h1"))
	require.Empty(p.t, harm(p), evaluate[string](p, `location.href`))
}

// harm is what a message has done to a page.
func harm(p *page) []string {
	p.t.Helper()
	found := evaluate[[]string](p, `(window.ran ? ["it ran"] : []).concat([...document.querySelectorAll(
		'body script:not([type="application/json"]), svg, img, iframe, [onerror], [onload], [onfocus], main [hx-trigger], a[href^="javascript:" i]')].map(e => e.outerHTML))`)
	for _, l := range []look{narrowDark, wideLight} {
		p.as(l)
		if width := p.width(); width > l.width {
			found = append(found, fmt.Sprintf("as %s it is %d pixels wide", l.name, width))
		}
	}
	return found
}

// What a page would look like that takes messages for more than text is known.
func TestHarmIsNoticed(t *testing.T) {
	require.Empty(t, harm(show(t, html.EscapeString(hostile[0]+hostile[1]+hostile[5]))))
	found := harm(show(t, hostile[0]+`<a href="JavaScript:alert(1)">`+strings.Repeat("W", 300)+`</a>`))
	require.Len(t, found, 5)
	require.Equal(t, "it ran", found[0])
	require.Contains(t, found[3], "as narrow-dark")
}

func inJSONOf(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // texts and maps of them always have one
	}
	return string(b)
}

// quoted is a text in ClickHouse's SQL.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
