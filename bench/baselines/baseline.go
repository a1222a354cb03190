//go:build linux

package baselines

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/millrace/millrace/bench/measure"
)

// Place is the folders, broker and topic of a baseline.
type Place struct {
	Bin    string // folder of our own binaries
	Cache  string // folder for downloads, which are kept
	Dir    string // folder for data and logs of this run
	Broker string // host:port
	Topic  string // to write to or to read from
}

// Missing is the error for a program that a baseline needs and this machine lacks.
type Missing struct{ What string }

func (m *Missing) Error() string { return m.What + " is missing on this machine" }

// need returns a Missing error for each program that is not on PATH.
func need(programs ...string) error {
	var missing []error
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, &Missing{p})
		}
	}
	return errors.Join(missing...)
}

//go:embed camel fastify script seatunnel
var files embed.FS

// unpack writes a baseline's files to its folder in the cache. It runs the command fetch if the file pinned, which
// lists versions, has changed since the last download.
func (p *Place) unpack(ctx context.Context, baseline, pinned string, fetch ...string) (dir string, err error) {
	dir, err = filepath.Abs(filepath.Join(p.Cache, baseline))
	if err != nil {
		return "", err
	}
	want, err := fs.ReadFile(files, baseline+"/"+pinned)
	if err != nil {
		return "", err
	}
	fetched, _ := os.ReadFile(filepath.Join(dir, "fetched"))
	if string(fetched) != string(want) {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	of, _ := fs.Sub(files, baseline) // the embedded folder exists
	if err := copyTo(dir, of); err != nil {
		return "", fmt.Errorf("unpack %s: %w", baseline, err)
	}
	if string(fetched) == string(want) {
		return dir, nil
	}
	cmd := exec.CommandContext(ctx, fetch[0], fetch[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch %s: %w: %s", baseline, err, out[max(0, len(out)-2000):])
	}
	return dir, os.WriteFile(filepath.Join(dir, "fetched"), want, 0o644)
}

// copyTo copies all files, and overwrites existing ones.
func copyTo(dir string, from fs.FS) error {
	return fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		}
		text, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), text, 0o644)
	})
}

// start starts a program and waits until it listens.
func start(ctx context.Context, program measure.Program, addr string) (*measure.Process, error) {
	process, err := program.Start()
	if err != nil {
		return nil, err
	}
	if err := process.AwaitPort(ctx, addr); err != nil {
		process.Stop()
		return nil, err
	}
	return process, nil
}
