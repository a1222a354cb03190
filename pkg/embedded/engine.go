package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/millrace/millrace/pkg/embedded/process"
)

// CacheEnv names the environment variable that overrides where the fetched engine is kept.
const CacheEnv = "MILLRACE_CACHE"

// Engine is a ClickHouse that can be started: a binary or a library, never both.
type Engine struct {
	Binary  string // path of a clickhouse binary
	Library string // path of the engine as a shared library
}

// String is the path of whichever it is.
func (e Engine) String() string {
	if e.Binary != "" {
		return e.Binary
	}
	return e.Library
}

// CacheDir is the folder for what is fetched once per machine: $MILLRACE_CACHE, or millrace in the
// user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder (set %s to choose one): %w", CacheEnv, err)
	}
	return filepath.Join(dir, "millrace"), nil
}

// FindEngine looks for an engine on this machine, without the network: a clickhouse binary on PATH, else
// the library in dir. An empty dir means CacheDir.
func FindEngine(dir string) (Engine, bool) {
	if binary, err := exec.LookPath("clickhouse"); err == nil {
		return Engine{Binary: binary}, true
	}
	if dir == "" {
		var err error
		if dir, err = CacheDir(); err != nil {
			return Engine{}, false
		}
	}
	library := libraryPath(dir)
	if info, err := os.Stat(library); err != nil || !info.Mode().IsRegular() {
		return Engine{}, false
	}
	return Engine{Library: library}, true
}

// libraryPath carries the version, so that a newer Millrace fetches a newer engine.
func libraryPath(dir string) string {
	return filepath.Join(dir, "libchdb-"+engineVersion+".so")
}

// command runs the engine with the arguments of `clickhouse local`. A library runs in this very binary, executed again.
func (e Engine) command(args []string) (process.Config, error) {
	c := process.Config{Name: "the ClickHouse engine", Path: e.Binary, Args: append([]string{"local"}, args...)}
	if e.Binary != "" {
		return c, nil
	}
	if e.Library == "" {
		return c, errors.New("no ClickHouse engine given: find or fetch one first")
	}
	self, err := os.Executable()
	if err != nil {
		return c, fmt.Errorf("find our own binary: %w", err)
	}
	c.Path, c.Args, c.Env = self, args, []string{childEnv + "=" + e.Library}
	return c, nil
}
