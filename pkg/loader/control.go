//go:build !chaoscontrol

package loader

// Protections that only a chaos control build can leave out; see control_chaos.go.
const (
	commitsBeforeInsert = false
	insertsWithoutToken = false
)
