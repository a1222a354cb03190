package main

import (
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/pkg/doctor"
)

// wantedFiles is what an edge may hold open: --max-connections as it comes, and a few for itself.
const wantedFiles = 16384 + 256

// checkOpenFiles looks at the limit of this process, which an edge that is started in the same way has too.
func checkOpenFiles(r *doctor.Report) {
	const check = "open files"
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		r.Warn(check, "", "the limit cannot be read: %v", err)
		return
	}
	if most := limit.Cur; most < wantedFiles {
		r.Warn(check, "raise it (ulimit -n, LimitNOFILE= in a systemd unit), or lower --max-connections of edges to fit", "%d at most, and an edge may have %d connections and files open", most, wantedFiles)
		return
	}
	r.OK(check, "%d at most", limit.Cur)
}
