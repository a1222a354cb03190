// Package apptest drives the real binaries as their users do, on the real engines.
package apptest
