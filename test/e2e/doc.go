// Package e2e drives the real binaries as their users do, on the real engines.
package e2e
