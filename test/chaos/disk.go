//go:build linux

package main

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// disk is a broker's folder that can be full. Where we may mount, it is a file system in memory that is made
// as small as what is in it; elsewhere the broker's files may not grow, which it takes for the same.
type disk struct {
	dir     string
	mounted bool
}

// Room on the disk while it has some, and while it has none, in bytes.
const (
	diskRoom   = 4 << 30
	diskNoRoom = 64 << 10
)

func newDisk(dir string) disk {
	err := unix.Mount("chaos", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskRoom))
	return disk{dir, err == nil}
}

// how says in the table what the fault is.
func (d *disk) how() string {
	if d.mounted {
		return "tmpfs made as small as what is in it"
	}
	return "RLIMIT_FSIZE"
}

// fill leaves a process no room.
func (d *disk) fill(pid int) error {
	if !d.mounted {
		return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: diskNoRoom, Max: unix.RLIM_INFINITY}, nil)
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &stat); err != nil {
		return err
	}
	used := (int64(stat.Blocks) - int64(stat.Bfree)) * stat.Bsize
	return d.resize(used + diskNoRoom)
}

// clean ends it. A limit ends with the process.
func (d *disk) clean(pid int) error {
	if !d.mounted {
		return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil)
	}
	return d.resize(diskRoom)
}

func (d *disk) resize(size int64) error {
	return unix.Mount("chaos", d.dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

func (d *disk) close() {
	if d.mounted {
		_ = unix.Unmount(d.dir, unix.MNT_DETACH)
	}
}
