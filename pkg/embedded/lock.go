package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How long a start waits for an engine whose parent was killed, and which is still ending.
const (
	lockPatience = 15 * time.Second
	lockPoll     = 50 * time.Millisecond
)

// ErrInUse says that another process, or another part of this one, runs on the same data folder.
var ErrInUse = errors.New("the data folder is in use")

// lockDir locks a data folder, making it if need be; closing the file unlocks it. The kernel holds the
// lock, so that nothing stale stays behind a crash. A child that inherits the file holds the lock too:
// the sequence "parent killed, engine still writing its last part, next start" waits for that engine to
// end. If the process that took the lock is alive there is nothing to wait for.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := waitForLock(ctx, file, dir); err != nil {
		file.Close()
		return nil, err
	}
	if err := writeOwner(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	return file, nil
}

func waitForLock(ctx context.Context, file *os.File, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock the data folder %s: %w", dir, err)
		}
		if owner, alive := readOwner(file); alive {
			return fmt.Errorf("%w: %s is held by process %d; stop it, or choose another folder", ErrInUse, dir, owner)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: an engine that lost its parent has not let go of %s: %w", ErrInUse, dir, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

func writeOwner(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readOwner tells which process took the lock and whether it is alive. A file that is being written just
// now reads as empty: nobody, and the caller looks again.
func readOwner(file *os.File) (pid int, alive bool) {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if err != nil {
		return 0, false
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || pid <= 0 {
		return 0, false
	}
	err = unix.Kill(pid, 0)
	return pid, err == nil || errors.Is(err, unix.EPERM)
}
