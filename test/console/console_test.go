package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// A console of its own demands its password, of people and of streams, and lets no other page post to it.
func TestThePassword(t *testing.T) {
	t.Parallel()
	m := up(t)
	s := m.connect(t, "guarded", "", "")
	console := startConsole(t, m)
	p := open(t, console+"/dead-letters")
	p.sees("Sign in")
	p.inspect("login")
	p.fill(css("#password"), "a guess of mine")
	p.click(named("button", "Sign in"))
	p.sees("Wrong password.")
	p.complains("401")
	p.fill(css("#password"), password)
	p.click(named("button", "Sign in"))
	p.sees("Messages that could not become events") // where one wanted to go

	pasteURL(p, console, s)
	elsewhere(t, p, console, s)
	ended := streamOf(t, p, console)
	p.visit(console)
	p.click(named("button", "Sign out"))
	p.has(css("#password"))
	p.take("console.error: [object Event]") // htmx's word of a stream that ended, if it did before its page was left
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("a stream goes on without its session")
	}
	p.visit(console + "/outcomes")
	p.has(css("#password"))
}

const password = "an acceptable password"

var consoleURL = regexp.MustCompile(`The console is at (\S+)`)

// startConsole starts a console beside the running "up", and returns its address.
func startConsole(t *testing.T, m *millrace) string {
	t.Helper()
	hash := exec.CommandContext(t.Context(), binary(), "console", "hash-password")
	hash.Stdin = bytes.NewBufferString(password + "\n")
	hashed, err := hash.Output()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, hashed, 0o600))

	command := exec.Command(binary(), "console", "--data", m.data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--console-password-file", file)
	said := &output{}
	command.Stdout, command.Stderr = said, said
	require.NoError(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() { require.NoError(t, stop(command, ended)) })
	for deadline := time.Now().Add(patience); ; time.Sleep(glance) {
		if found := consoleURL.FindStringSubmatch(said.String()); found != nil {
			return found[1]
		}
		require.True(t, time.Now().Before(deadline), "%s", said)
	}
}

// pasteURL sends a test event where the URL is not known, for it was made by another process.
func pasteURL(p *page, console string, s source) {
	p.t.Helper()
	p.visit(console + "/connections/" + s.id)
	p.click(css("details.panel > summary"))
	p.fill(css("#test-url"), "https://elsewhere.example/v1/segment/mr1_another")
	p.click(named("button", "Send through the edge"))
	p.seesIn(css("#test-result"), "This is the URL of another connection.")
	p.fill(css("#test-url"), s.url)
	p.click(named("button", "Send through the edge"))
	p.seesIn(css("#test-result"), `"accepted": 1`)
	p.seesIn(css(".messages > li:first-child"), "user_test_123")
}

// elsewhere has a page on another port post to the console. It is the same site to the browser, which sends the session
// along.
func elsewhere(t *testing.T, p *page, console string, s source) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><form method="post" action="%s/connections/%s/delete"><button>Win a prize</button></form>`, console, s.id)
	})
	p.visit(server.URL)
	p.click(named("button", "Win a prize"))
	p.sees("another site's page")
	p.complains("403")
	require.Equal(t, http.StatusOK, s.post(signedUp), "it is there as before")
}

// streamOf reads a stream with the browser's session, and tells when it ends.
func streamOf(t *testing.T, p *page, console string) (ended chan struct{}) {
	t.Helper()
	address, err := url.Parse(console)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, console+"/connections/changes", nil)
	require.NoError(t, err)
	require.NoError(t, p.try(func(ctx context.Context) error {
		cookies, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(ctx).BrowserContextID})
		if err != nil {
			return err
		}
		for _, c := range cookies.Cookies {
			require.True(t, c.HTTPOnly && c.SameSite == "Strict" && c.Domain == address.Hostname(), "%+v", c)
			request.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
		return nil
	}))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = bytes.NewBuffer(nil).ReadFrom(response.Body)
	}()
	return ended
}

// Where others can reach it, it does not start without a password, and says what to do.
func TestNoConsoleForEverybody(t *testing.T) {
	m := up(t)
	said, err := exec.CommandContext(t.Context(), binary(), "console", "--data", m.data, "--listen", "0.0.0.0:0").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "--console-password-file")
	require.Contains(t, string(said), "hash-password")
}
