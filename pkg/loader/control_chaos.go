//go:build chaoscontrol

package loader

import "os"

// The protections that a chaos run's control leaves out: that a block is committed after it is inserted, and
// that one which was under way is known when it comes again.
var (
	commitsFirst  = os.Getenv("MILLRACE_CHAOS_CONTROL") == "commit-first"
	forgetsBlocks = os.Getenv("MILLRACE_CHAOS_CONTROL") == "no-token"
)
