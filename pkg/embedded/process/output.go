package process

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// Bounds of Output.
const (
	outputBytes = 8 << 10
	outputLines = 12
)

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - outputBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(b), nil
}

// What Output leaves out: terminal control sequences, empty lines, and frames of stack traces that are bare addresses.
var (
	terminalCodes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\r`)
	emptyLines    = regexp.MustCompile(`(?m)^(\d+\. .* @ 0x[0-9a-f]+|\s*)\n`)
)

// Output returns the last lines of standard output and error.
func (p *Process) Output() string {
	clean := emptyLines.ReplaceAll(terminalCodes.ReplaceAll(p.lastBytes(), nil), nil)
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(clean), "")), "\n")
	return strings.Join(lines[max(0, len(lines)-outputLines):], "\n")
}

func (p *Process) lastBytes() []byte {
	if p.logFile != "" {
		text, err := os.ReadFile(p.logFile)
		if err != nil {
			return []byte(err.Error())
		}
		return text[max(0, len(text)-outputBytes):]
	}
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return append([]byte(nil), p.output.last...)
}
