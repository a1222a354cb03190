// Package cli is what the mains have in common: flags from the command line and MILLRACE_*
// variables, signals, and the one place where a process ends.
//
// Files:
//
//	program.go  from the command line to the end of the process
//	version.go  the version of the build
//	page.go     a program's flags as docs/configuration.md has them
package cli
