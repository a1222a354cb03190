// Package checkup is what "millrace doctor" collects: what was looked at, how it is, and what to change. Each package
// looks after its own server; this one has the words they share.
package doctor
