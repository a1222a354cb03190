// Package telemetry is what an operator sees: logs, metrics, health and profiles.
//
// Files:
//
//	log.go      the logger
//	repeats.go  messages that repeat are counted
//	health.go   what must be true for a program to take work
//	admin.go    the admin address: /healthz, /readyz, /metrics, /debug/pprof
//	check.go    asking it, as a container's health check
package telemetry
