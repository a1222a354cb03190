package kafka

import (
	"os/exec"
	"syscall"
)

// endWithUs has the kernel kill the process when we end, however that is. A terminal's Ctrl-C reaches the
// tests alone.
func endWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
