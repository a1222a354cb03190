// Package telemetry is what an operator sees: logs, metrics, health and profiles.
//
// Files:
//
//	log.go     the logger
//	health.go  what must be true for a program to take work
//	admin.go   the admin address: /healthz, /readyz, /metrics, /debug/pprof
package telemetry
