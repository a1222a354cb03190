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

// Usage is what a process and all it has started have used.
type Usage struct {
	CPU       time.Duration // user and system, with that of those that have ended
	PeakBytes int64         // resident, the sum of each one's own peak since the last ResetPeak
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on Linux whatever the kernel's own clock.
const tick = time.Second / 100

// Usage reads it from /proc.
func (p *Process) Usage() (Usage, error) { return UsageOf(p.Pid()) }

// ResetPeak makes PeakBytes of a process and its children count from now on.
func ResetPeak(pid int) {
	for _, id := range tree(pid) {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", id), []byte("5"), 0) // where it may not, the peak is of all its life
	}
}

// UsageOf reads what a process with its children has used.
func UsageOf(pid int) (Usage, error) {
	var sum Usage
	for _, id := range tree(pid) {
		s, err := readStat(id)
		if err != nil {
			continue // it has ended since, and its parent's sum has it by now
		}
		sum.CPU += s.cpu
		sum.PeakBytes += peak(id)
	}
	if sum.CPU == 0 && sum.PeakBytes == 0 {
		return sum, fmt.Errorf("process %d has ended", pid)
	}
	return sum, nil
}

// Busy is how long all processors together have worked since the machine started, and how long they have been there.
func Busy() (busy, there time.Duration) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const idle, waiting, last = 4, 5, 8 // from there on it is what others have counted already
	for i := 1; i <= last && i < len(fields); i++ {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		there += time.Duration(n) * tick
		if i != idle && i != waiting {
			busy += time.Duration(n) * tick
		}
	}
	return busy, there
}

type stat struct {
	parent int
	cpu    time.Duration
}

// readStat reads /proc/PID/stat. The name in it can hold anything, so what follows its last bracket is counted.
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

// tree is the process and all that come from it.
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
