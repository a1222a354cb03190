//go:build linux

package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is the processor time and memory of a process and of all processes that it started.
type Usage struct {
	CPU       time.Duration // user and system, including children that ended
	PeakBytes int64         // resident: the sum of the processes' peaks since the last ResetPeak
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on Linux independent of the kernel's clock.
const tick = time.Second / 100

// Usage reads the process's usage from /proc.
func (p *Process) Usage() (Usage, error) { return UsageOf(p.Pid()) }

// ResetPeak makes PeakBytes of a process and its children start from the current memory.
func ResetPeak(pid int) {
	for _, id := range tree(pid) {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", id), []byte("5"), 0) // without permission the peak is that of the whole run
	}
}

// UsageOf reads the usage of a process with its children. It returns an error if the process has ended.
func UsageOf(pid int) (Usage, error) {
	var sum Usage
	for _, id := range tree(pid) {
		s, err := readStat(id)
		if err != nil {
			continue // it has ended since, so its parent's sum includes it
		}
		sum.CPU += s.cpu
		sum.PeakBytes += peak(id)
	}
	if sum.CPU == 0 && sum.PeakBytes == 0 {
		return sum, fmt.Errorf("process %d has ended", pid)
	}
	return sum, nil
}

// Busy returns the time that all processors together have worked since the machine started, and their total time.
func Busy() (busy, total time.Duration) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const idle, waiting, last = 4, 5, 8 // later fields are included in earlier ones
	for i := 1; i <= last && i < len(fields); i++ {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		total += time.Duration(n) * tick
		if i != idle && i != waiting {
			busy += time.Duration(n) * tick
		}
	}
	return busy, total
}

type stat struct {
	parent int
	cpu    time.Duration
}

// readStat reads /proc/PID/stat. The process name can contain anything, so fields count from its last bracket.
func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const parent, first, last = 1, 11, 14 // utime, stime, cutime, cstime
	if len(fields) <= last {
		return stat{}, fmt.Errorf("read /proc/%d/stat: %q", pid, text)
	}
	var s stat
	s.parent, _ = strconv.Atoi(fields[parent])
	for _, field := range fields[first : last+1] {
		n, _ := strconv.ParseInt(field, 10, 64)
		s.cpu += time.Duration(n) * tick
	}
	return s, nil
}

func peak(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if kib, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kib), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// tree lists the process and all its descendants.
func tree(root int) []int {
	children := map[int][]int{}
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range found {
		pid, _ := strconv.Atoi(filepath.Base(path))
		if s, err := readStat(pid); err == nil {
			children[s.parent] = append(children[s.parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}
