//go:build linux

package main

import (
	"slices"
	"syscall"
	"time"
)

// controlGap is how far a control's faults are apart: long enough that a loader that was killed is out of the
// group and the others are at work again.
const controlGap = 15 * time.Second

// quiet is the one fault of a quiet run, and quietGap how far two of it are apart: the loader is back, and at work,
// when the next is killed.
var quiet = kind{name: "loader killed, and left dead", targets: loaders, least: 18 * time.Second, busy: "loader", back: backLoading, do: killPart(loadersOf, syscall.SIGKILL)}

const quietGap = 30 * time.Second

// controlFaults are what each protection is for.
var controlFaults = map[string]string{
	"commit-first": "loader cut off from ClickHouse, then killed",
	"no-token":     "loader cut off from answers, then killed",
	"acks-1":       "Kafka followers stopped, leader killed",
}

// controlPlan makes one kind of fault at regular times.
func controlPlan(control string, length time.Duration) []fault {
	kinds := append(processKinds(), brokerKinds()...)
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == controlFaults[control] })
	return regularPlan(kinds[i], controlGap, length)
}

// regularPlan makes one kind of fault, as short as it may be, at regular times.
func regularPlan(k kind, gap, length time.Duration) (plan []fault) {
	for at := gap; at < length; at += gap {
		n := len(plan) + 1
		plan = append(plan, fault{at: at, kind: &k, target: n % k.targets, lasts: k.least, n: n})
	}
	return plan
}

// caught tells whether the oracle found what the missing protection does.
func (v *verdict) caught(control string) bool {
	if control == "no-token" {
		return v.secondRows > 0
	}
	return v.lost > 0
}
