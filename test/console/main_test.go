package console

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write anew what the tests that run keep in the tree: docs/images, and npm's files")

// patience is how long anything may take that a person would wait for. Whatever takes so long is broken.
const patience = 30 * time.Second

// glance is how long to wait before looking again.
const glance = 20 * time.Millisecond

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	closeBrowser()
	removePackages()
	if err := stopMillrace(); err != nil {
		fmt.Fprintln(os.Stderr, "millrace up:", err)
		code = 1
	}
	os.Exit(code)
}
