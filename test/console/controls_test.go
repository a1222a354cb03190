package console

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// serve serves a page with that head and body at /, and the rest as the mux does.
func serve(t *testing.T, mux *http.ServeMux, policy, head, body string) *httptest.Server {
	t.Helper()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		fmt.Fprintf(w, `<!doctype html><html lang="en"><head><title>A page</title><meta name="viewport" content="width=device-width">`+
			`%s</head><body><main><h1>A page</h1>%s</main></body></html>`, head, body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections() // streams end only so
		server.Close()
	})
	return server
}

// show opens a page with that body, which may do anything.
func show(t *testing.T, body string) *page {
	t.Helper()
	return open(t, serve(t, http.NewServeMux(), "", "", body).URL)
}

func TestViolationsAreNoticed(t *testing.T) {
	p := open(t, serve(t, http.NewServeMux(), strict, "", `<script>document.body.append("It ran.")</script><p>All of it.</p>`).URL)
	p.sees("All of it.")
	p.complains("script-src-elem forbids inline")
	p.complains("Content Security Policy") // Chromium's own word of it
	require.NotContains(t, p.text(), "It ran.")
}

func TestErrorsAreNoticed(t *testing.T) {
	p := show(t, `
		<script>console.error("broken", 2)</script>
		<script>console.assert(false, "not so")</script>
		<script>throw new Error("thrown")</script>
		<script>Promise.reject(new Error("rejected"))</script>
		<script>fetch("/nowhere")</script>
		<script src="http://elsewhere.example/script.js"></script>
		<script>alert("a dialog")</script>
		<script>if (confirm("sure?")) document.body.append("It went ahead.")</script>
		<p>All of it.</p>`)
	p.sees("All of it.")
	for _, complaint := range []string{
		"console.error: broken 2",
		"console.assert: not so",
		"Error: thrown",
		"Error: rejected",
		"404",
		"ERR_NAME_NOT_RESOLVED",
		"alert: a dialog",
		"confirm: sure?",
	} {
		p.complains(complaint)
	}
	require.NotContains(t, p.text(), "It went ahead.")
}

func TestBarriersAreNoticed(t *testing.T) {
	const pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
	require.Empty(t, show(t, `<p>Hello.</p><img alt="a dot" src="`+pixel+`">`).faults(narrowDark))

	p := show(t, `<style>@media (prefers-color-scheme: dark) { body { background: #000; color: #222 } } p { width: 600px }</style>
		<p>Hello.</p><img src="`+pixel+`">`)
	found := p.faults(wideLight)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "image-alt (critical)")

	found = p.faults(narrowDark)
	require.Len(t, found, 3)
	require.Contains(t, found[0], "color-contrast (serious)")
	require.Contains(t, found[1], "image-alt (critical)")
	require.Contains(t, found[2], "pixels wide in a window of 390")
}

func TestHands(t *testing.T) {
	p := show(t, `
		<button hidden>Go</button>
		<form>
			<label>Name <input id="name" value="before"></label>
			<label>Colour <select><option>red</option><option>green</option></select></label>
			<button>Go</button>
		</form>
		<p><button>Copy</button></p>
		<p id="row"><button id="copy">Copy</button></p>
		<output></output>
		<script>
			const said = document.querySelector("output"), form = document.querySelector("form")
			form.onsubmit = e => {
				e.preventDefault()
				said.textContent = confirm("Really?") ? form[0].value + " in " + form[1].value : "no"
			}
			form[1].onchange = () => said.textContent = "chosen"
			document.getElementById("copy").onclick = () => navigator.clipboard.writeText("copied").then(() => said.textContent = "done")
		</script>`)
	p.fill(named("textbox", "Name"), `Zoë's "shop"`)
	p.choose(named("combobox", "Colour"), "green")
	p.sees("chosen")
	require.Equal(t, "Really?", p.confirming(func() { p.click(named("button", "Go")) }))
	p.sees(`Zoë's "shop" in green`)
	p.seesNo("chosen")

	p.fill(css("#name"), "")
	p.press("typed" + kb.Tab + kb.Tab)
	require.Equal(t, "Really?", p.confirming(func() { p.press(kb.Enter) }))
	p.sees("typed in green")

	p.click(named("button", "Copy").within("#row"))
	p.sees("done")
	require.Equal(t, "copied", p.clipboard())
}

func TestPagesShareNoCookies(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/cookies", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "There were %d.", len(r.Cookies()))
	})
	mux.HandleFunc("/set", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "one"})
	})
	server := serve(t, mux, "", "", "")
	first := open(t, server.URL+"/set")
	first.visit(server.URL + "/cookies")
	first.sees("There were 1.")
	open(t, server.URL+"/cookies").sees("There were 0.")
}

func TestPictures(t *testing.T) {
	p := show(t, `<style>:root { color-scheme: light dark } main { height: 5000px }</style>`)
	p.images, p.drawn = filepath.Join(t.TempDir(), "images"), true
	p.wanted = []string{"page-wide-light", "page-wide-dark", "page-narrow-light", "page-narrow-dark"}
	p.inspect("page")
	for _, l := range looks {
		f, err := os.Open(filepath.Join(p.images, "page-"+l.name+".png"))
		require.NoError(t, err)
		defer f.Close()
		image, err := png.Decode(f)
		require.NoError(t, err)
		size := image.Bounds().Size()
		require.EqualValues(t, l.width, size.X, l.name)
		require.EqualValues(t, screens*l.height, size.Y, l.name)
		red, _, _, _ := image.At(size.X-1, size.Y-1).RGBA()
		require.Equal(t, l.scheme == "light", red > 0x7fff, l.name)
	}
}
