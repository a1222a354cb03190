//go:build chaoscontrol

package stream

import "os"

// asksOnlyLeaders has producers wait for no replica: the protection that a chaos run's control leaves out.
var asksOnlyLeaders = os.Getenv("MILLRACE_CHAOS_CONTROL") == "acks-1"
