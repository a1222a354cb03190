//go:build !chaoscontrol

package stream

// asksOnlyLeaders is for a chaos run's control; only a build for that can set it.
const asksOnlyLeaders = false
