//go:build chaoscontrol

package loader

import "os"

// Protections that the control of a chaos run leaves out: blocks are committed before they are inserted, or get no
// deduplication token, so that a repeated insert is not recognised.
var (
	commitsBeforeInsert = os.Getenv("MILLRACE_CHAOS_CONTROL") == "commit-first"
	insertsWithoutToken = os.Getenv("MILLRACE_CHAOS_CONTROL") == "no-token"
)
