//go:build linux

package main

import (
	"slices"
	"time"
)

// controlGap is how far a control's faults are apart: long enough that a loader that was killed is out of the
// group and the others are at work again.
const controlGap = 15 * time.Second

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
	var plan []fault
	for at := controlGap; at < length; at += controlGap {
		n := len(plan) + 1
		plan = append(plan, fault{at: at, kind: &kinds[i], target: n % kinds[i].targets, lasts: kinds[i].least, n: n})
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
