//go:build linux

package main

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// disk is a broker's folder that can be full. With permission to mount it is a tmpfs that shrinks to its contents.
// Otherwise a limit on the size of files has the same effect on the broker.
type disk struct {
	dir     string
	mounted bool
}

// Size of the disk, and free space while it is full, in bytes.
const (
	diskSize     = 4 << 30
	fullDiskRoom = 64 << 10
)

func newDisk(dir string) disk {
	err := unix.Mount("chaos", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize))
	return disk{dir, err == nil}
}

// method describes the fault in the report.
func (d *disk) method() string {
	if d.mounted {
		return "tmpfs shrunk to its contents"
	}
	return "RLIMIT_FSIZE"
}

// fill leaves a process no free space.
func (d *disk) fill(pid int) error {
	if !d.mounted {
		return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: fullDiskRoom, Max: unix.RLIM_INFINITY}, nil)
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &stat); err != nil {
		return err
	}
	used := (int64(stat.Blocks) - int64(stat.Bfree)) * stat.Bsize
	return d.resize(used + fullDiskRoom)
}

// empty makes space again. A limit also ends with the process.
func (d *disk) empty(pid int) error {
	if !d.mounted {
		return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil)
	}
	return d.resize(diskSize)
}

func (d *disk) resize(size int64) error {
	return unix.Mount("chaos", d.dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

func (d *disk) close() {
	if d.mounted {
		_ = unix.Unmount(d.dir, unix.MNT_DETACH)
	}
}
