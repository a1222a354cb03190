//go:build !chaoscontrol

package loader

// What a build for a chaos run's control can leave out. No other can.
const (
	commitsFirst  = false
	forgetsBlocks = false
)
