package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// look is how somebody sees a page: the window's size in CSS pixels, and the scheme that they prefer.
type look struct {
	name          string
	width, height int64
	phone         bool // the page's own word on its width counts
	scheme        string
}

var (
	wideLight   = look{"wide-light", 1280, 800, false, "light"}
	wideDark    = look{"wide-dark", 1280, 800, false, "dark"}
	narrowLight = look{"narrow-light", 390, 844, true, "light"}
	narrowDark  = look{"narrow-dark", 390, 844, true, "dark"}

	looks = []look{wideLight, wideDark, narrowLight, narrowDark}
)

// as shows the page so from now on. Nothing moves: a picture or a contrast taken halfway means nothing.
func (p *page) as(l look) {
	p.t.Helper()
	require.NoError(p.t, p.try(func(ctx context.Context) error {
		_, sized := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: l.width, Height: l.height, DeviceScaleFactor: 1, Mobile: l.phone,
		})
		_, liked := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return errors.Join(sized, liked)
	}))
	// What is drawn to fit is drawn anew in the next frame.
	evaluate[bool](p, `new Promise(done => { requestAnimationFrame(() => requestAnimationFrame(() => done(true))); setTimeout(done, 1000, true) })`)
}

// pictured are the pictures that the docs show: the others are made by nobody.
var pictured = []string{"connections-wide-light", "connection-wide-dark", "connection-narrow-light", "outcomes-wide-light", "outcomes-wide-dark"}

// inspect looks at the page wide and narrow, light and dark, each once with the other. With -update it writes
// docs/images/NAME-wide-light.png and so on, those that the docs show.
func (p *page) inspect(name string) {
	p.t.Helper()
	for _, l := range []look{wideLight, narrowDark} {
		for _, fault := range p.faults(l) {
			p.t.Errorf("%s, %s: %s", name, l.name, fault)
		}
	}
	for _, l := range looks {
		if picture := name + "-" + l.name; p.drawn && slices.Contains(p.wanted, picture) {
			p.as(l)
			p.picture(filepath.Join(p.images, picture+".png"), l)
		}
	}
	p.as(wideLight)
}

// faults are what keeps somebody with that look from using the page: barriers, and what is wider than the window.
func (p *page) faults(l look) (found []string) {
	p.t.Helper()
	p.as(l)
	for _, barrier := range p.barriers() {
		found = append(found, barrier.String())
	}
	if width := p.width(); width > l.width {
		found = append(found, fmt.Sprintf("it is %d pixels wide in a window of %d", width, l.width))
	}
	return found
}

// width is that of all that the page has: more than the window's is scrolled sideways.
func (p *page) width() int64 {
	p.t.Helper()
	return evaluate[int64](p, `document.documentElement.scrollWidth`)
}

// screens is how many windows long a picture may be; what comes below is cut off.
const screens = 2

// picture writes what is seen of the page as a PNG.
func (p *page) picture(file string, l look) {
	p.t.Helper()
	height := evaluate[int64](p, `document.documentElement.scrollHeight`)
	height = min(max(height, l.height), screens*l.height)
	beyond := true
	require.NoError(p.t, p.try(func(ctx context.Context) error {
		taken, err := chromedp.Call(ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{
			CaptureBeyondViewport: &beyond,
			Clip:                  &cdppage.Viewport{Width: float64(l.width), Height: float64(height), Scale: 1},
		})
		if err != nil {
			return err
		}
		small, err := inFewColors(taken.Data)
		return errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, small, 0o644))
	}))
}

// inFewColors is a PNG with its 256 most frequent colors, and the nearest of them in place of others: a third of the
// bytes, and nobody sees it.
func inFewColors(data []byte) ([]byte, error) {
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	seen, bounds := map[color.Color]int{}, decoded.Bounds()
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			seen[decoded.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(seen), func(a, b color.Color) int { return seen[b] - seen[a] })
	palette, nearest := color.Palette(all[:min(256, len(all))]), map[color.Color]uint8{}
	for _, c := range all {
		nearest[c] = uint8(palette.Index(c))
	}
	small := image.NewPaletted(bounds, palette)
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			small.SetColorIndex(x, y, nearest[decoded.At(x, y)])
		}
	}
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, small)
	return b.Bytes(), err
}
