//go:build linux

package measure

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is the hardware and the versions of a measurement.
type Machine struct {
	Processor string
	Cores     int
	MemoryGiB int
	Kernel    string
	Go        string
	Commit    string // with a + if the work tree has changes
	Taken     time.Time
}

// ThisMachine describes the machine that this process runs on.
func ThisMachine() Machine {
	return Machine{
		Processor: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), MemoryGiB: memoryGiB(),
		Kernel: readFile("/proc/sys/kernel/osrelease"), Go: runtime.Version(), Commit: commit(),
		Taken: time.Now().UTC().Truncate(time.Second),
	}
}

func readFile(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}

func field(path, name string) string {
	for line := range strings.Lines(readFile(path)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func memoryGiB() int {
	kib, _ := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"))
	return (kib + 1<<19) >> 20
}

func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changed, _ := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
	if len(changed) > 0 {
		return strings.TrimSpace(string(head)) + "+"
	}
	return strings.TrimSpace(string(head))
}
