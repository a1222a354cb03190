package consoletest

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
			`<link rel="icon" href="data:,">%s</head><body><main><h1>A page</h1>%s</main></body></html>`, head, body)
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
	for script, complaint := range map[string]string{
		`console.error("broken", 2)`:                             "console.error: broken 2",
		`console.assert(false, "not so")`:                        "console.assert: not so",
		`throw new Error("thrown")`:                              "thrown",
		`Promise.reject(new Error("rejected"))`:                  "rejected",
		`fetch("/nowhere")`:                                      "404",
		`fetch("http://elsewhere.example/").catch(() => {})`:     "ERR_NAME_NOT_RESOLVED",
		`alert("a dialog")`:                                      "alert: a dialog",
		`if (confirm("sure?")) throw new Error("it went ahead")`: "confirm: sure?",
	} {
		t.Run(complaint, func(t *testing.T) {
			p := show(t, `<script>`+script+`</script>`)
			p.complains(complaint)
			p.take("CORS") // elsewhere does not allow it either
		})
	}
}

func TestBarriersAreNoticed(t *testing.T) {
	const pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
	require.Empty(t, show(t, `<p>Hello.</p><img alt="a dot" src="`+pixel+`">`).faults(wideLight))

	found := show(t, `<p>Hello.</p><img src="`+pixel+`">`).faults(wideLight)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "image-alt (critical)")

	inTheDark := show(t, `<style>@media (prefers-color-scheme: dark) { body { background: #000; color: #222 } }</style><p>Hello.</p>`)
	require.Empty(t, inTheDark.faults(wideLight))
	found = inTheDark.faults(wideDark)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "color-contrast (serious)")

	onAPhone := show(t, `<p style="width: 600px">Hello.</p>`)
	require.Empty(t, onAPhone.faults(wideLight))
	found = onAPhone.faults(narrowLight)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "pixels wide in a window of 390")
}

func TestHands(t *testing.T) {
	p := show(t, `
		<button hidden>Go</button>
		<form>
			<label>Name <input id="name" value="before"></label>
			<label>Colour <select><option>red</option><option>green</option></select></label>
			<button>Go</button>
		</form>
		<button id="copy">Copy</button>
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

	p.click(named("button", "Copy"))
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
	for _, l := range looks {
		p.as(l)
		file := filepath.Join(t.TempDir(), "images", "page.png")
		p.picture(file, l)
		f, err := os.Open(file)
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
