package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// engineVersion is the npm packages' version; what it says of itself in SQL is 26.7.2.1.
const engineVersion = "26.7.3-stable.1"

// progressInterval is how often a fetch looks at how much has arrived.
const progressInterval = 200 * time.Millisecond

// ErrNoNpm says that the engine cannot be fetched because there is no npm on PATH.
var ErrNoNpm = errors.New("the ClickHouse engine has to be fetched once and npm is not on PATH: " +
	"install Node.js (it brings npm), or put a clickhouse binary on PATH")

// enginePackage is the engine for one platform. An empty integrity leaves the check to npm, which
// compares every download with what the registry states.
type enginePackage struct {
	name        string
	integrity   string // as npm writes it: sha512- and base64
	packedBytes int64  // of the tarball, about, where it is only for the progress
}

var enginePackages = map[string]enginePackage{
	"linux/amd64": {
		name:        "@chdb/lib-linux-x64-gnu",
		integrity:   "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		packedBytes: 177_817_999,
	},
	"linux/arm64":  {name: "@chdb/lib-linux-arm64-gnu", packedBytes: 170_000_000},
	"darwin/arm64": {name: "@chdb/lib-darwin-arm64", packedBytes: 120_000_000},
	"darwin/amd64": {name: "@chdb/lib-darwin-x64", packedBytes: 130_000_000},
}

// FetchEngine returns the engine library, fetching it into CacheDir with the npm client if it is not
// there yet; npm knows the user's registry and proxy. Two processes may fetch at once, the later one wins
// with the same bytes. progress may be nil; it is called from one goroutine with bytes fetched so far.
func FetchEngine(ctx context.Context, progress func(done, total int64)) (Engine, error) {
	dir, err := CacheDir()
	if err != nil {
		return Engine{}, err
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	pkg, known := enginePackages[platform]
	if !known {
		return Engine{}, fmt.Errorf("there is no ClickHouse engine to fetch for %s: put a clickhouse binary on PATH", platform)
	}
	library := libraryPath(dir)
	if info, err := os.Stat(library); err == nil && info.Mode().IsRegular() {
		return Engine{Library: library}, nil
	}
	if err := pkg.fetch(ctx, library, progress); err != nil {
		return Engine{}, fmt.Errorf("fetch the ClickHouse engine %s@%s: %w", pkg.name, engineVersion, err)
	}
	return Engine{Library: library}, nil
}

// fetch downloads into a folder of its own beside the library, so that the final rename is atomic.
func (p enginePackage) fetch(ctx context.Context, library string, progress func(done, total int64)) error {
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(library), "fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	stop := p.report(work, progress)
	tarball, err := p.download(ctx, work)
	stop()
	if err != nil {
		return err
	}
	unpacked := filepath.Join(work, "libchdb.so")
	if err := unpackLibrary(tarball, p.integrity, unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, library)
}

// download has npm put the tarball into the work folder and names it. npm's cache is there too: it is
// what grows while the bytes arrive, and would else keep a second copy for good.
func (p enginePackage) download(ctx context.Context, work string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", ErrNoNpm
	}
	cmd := exec.CommandContext(ctx, npm, "pack", p.name+"@"+engineVersion, "--ignore-scripts", "--silent",
		"--pack-destination", work, "--cache", filepath.Join(work, "cache"))
	cmd.Dir = work
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr, cmd.Stdout = &said, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm pack: %w: %s", err, lastLines(said.String(), 5))
	}
	tarballs, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return "", fmt.Errorf("npm pack left %d tarballs instead of one", len(tarballs))
	}
	return tarballs[0], nil
}

// report calls progress until the returned function is called, which reports once more.
func (p enginePackage) report(work string, progress func(done, total int64)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	ended, reported := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(reported)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			progress(min(bytesIn(work), p.packedBytes), p.packedBytes)
			select {
			case <-tick.C:
			case <-ended:
				progress(min(bytesIn(work), p.packedBytes), p.packedBytes)
				return
			}
		}
	}()
	return func() { close(ended); <-reported }
}

// bytesIn sums the files under a folder; those that vanish meanwhile do not count.
func bytesIn(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// lastLines is the end of an output, for an error's text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
