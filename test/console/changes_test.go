package console

import (
	"net/http"

	"github.com/stretchr/testify/require"
)

const (
	signedUp     = `{"type":"track","event":"Signed Up","userId":"u"}`
	sharedSecret = "between-us-only"
)

// change does something to the connection whose page this is, after reading what that would do.
func change(p *page, link, does, button string) {
	p.t.Helper()
	p.click(named("link", link))
	p.sees(does)
	p.click(named("button", button))
}

func pauseAndResume(p *page, s source) {
	p.t.Helper()
	change(p, "Pause", "dropped messages are lost", "Pause")
	p.has(css(".status.paused"))
	require.Equal(p.t, http.StatusNoContent, s.post(signedUp))
	change(p, "Resume", "Its URL accepts events again", "Resume")
	p.has(css(".status.active"))
	require.Equal(p.t, http.StatusOK, s.post(signedUp))
}

func rotate(p *page, s source) source {
	p.t.Helper()
	change(p, "Rotate URL", "The old URL is answered with 401", "Rotate the URL")
	p.sees("shown only now")
	now := sourceOf(s.t, p.textOf(css("#url")), s.product)
	require.Equal(p.t, s.id, now.id)
	require.Equal(p.t, http.StatusUnauthorized, s.post(signedUp))
	require.Equal(p.t, http.StatusOK, now.post(signedUp))
	p.click(named("link", "I have copied it: show events"))
	return now
}

func secret(p *page, s source) {
	p.t.Helper()
	p.click(named("link", "Require a shared secret"))
	p.sees("x-greenflash-secret")
	p.fill(css("#secret"), sharedSecret)
	p.click(named("button", "Require this secret"))
	p.sees("required")
	require.Equal(p.t, http.StatusUnauthorized, s.post(signedUp))
	require.Equal(p.t, http.StatusUnauthorized, s.post(signedUp, "x-greenflash-secret", "another-one"))
	require.Equal(p.t, http.StatusOK, s.post(signedUp, "x-greenflash-secret", sharedSecret))
}

// testEvent sends one to the URL that was made here, and sees it arrive.
func testEvent(p *page) {
	p.t.Helper()
	p.sees("All new messages are shown.")
	p.click(css("details.panel > summary"))
	p.sees("leave empty to use the URL created here") // it is known
	p.fill(css("#test-secret"), "not-the-secret")
	p.click(named("button", "Send through the edge"))
	p.seesIn(css("#test-result"), "401")
	p.fill(css("#test-secret"), sharedSecret)
	p.click(named("button", "Send through the edge"))
	p.seesIn(css("#test-result"), `"accepted": 1`)
	p.seesIn(css(".messages > li:first-child"), "user_test_123")
}

func disconnectAndDelete(p *page, s source) {
	p.t.Helper()
	change(p, "Disconnect", "Every request is answered with 204", "Disconnect")
	p.has(css(".status.disconnected"))
	require.Equal(p.t, http.StatusNoContent, s.post(signedUp, "x-greenflash-secret", sharedSecret))
	change(p, "Delete", "This cannot be undone", "Delete permanently")
	p.sees("Each connection is one secret URL")
	require.Equal(p.t, http.StatusUnauthorized, s.post(signedUp, "x-greenflash-secret", sharedSecret))
	require.NotContains(p.t, p.text(), s.id)
}
