package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/chromedp/chromedp"
)

// browsers are the names under which distributions have Chromium; Debian's is the first.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

var errNoBrowser = errors.New(`there is no Chromium on PATH: "make test-console" installs it on Debian, elsewhere your package manager has it`)

// theBrowser is the one Chromium that all tests share. Its context is the parent of every page's.
var theBrowser = sync.OnceValues(func() (context.Context, error) {
	path, err := findBrowser()
	if err != nil {
		return nil, err
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), browserOptions(path)...)
	ctx, cancel := chromedp.NewContext(allocator)
	closeBrowser = func() { cancel(); cancelAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, nil
})

// closeBrowser ends Chromium if a test has started it.
var closeBrowser = func() {}

func findBrowser() (string, error) {
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoBrowser
}

func browserOptions(path string) []chromedp.ExecAllocatorOption {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-component-update", true),
		// The console works offline: a page that asks another host for anything gets nothing, and that is an error on
		// its console.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	if os.Getuid() == 0 {
		// Chromium's sandbox refuses to serve root, and that is who tests are in many a container. The pages are ours.
		options = append(options, chromedp.NoSandbox)
	}
	return options
}
