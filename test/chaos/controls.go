//go:build linux

package main

import (
	"slices"
	"syscall"
	"time"
)

// controlGap is the time between the faults of a control: a killed loader has left the group, and the others have its
// partitions.
const controlGap = 15 * time.Second

// loaderKill is the fault of a run with --loader-kills. After loaderKillGap the loader runs again and has its
// partitions.
var loaderKill = kind{
	name: "loader killed until its session ends", targets: loaders, lasts: seconds(18, 18), resource: "loader",
	do: killService(loadersOf, syscall.SIGKILL),
}

const loaderKillGap = 30 * time.Second

// controlFaults are the faults that each protection is for.
var controlFaults = map[string]string{
	"commit-first": "loader without ClickHouse, then killed",
	"no-token":     "loader without ClickHouse's answers, then killed",
	"acks-1":       "Kafka followers paused, leader killed",
}

// controlPlan is the fault of a control at regular times.
func controlPlan(control string, length time.Duration) []fault {
	kinds := append(processKinds(), brokerKinds()...)
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == controlFaults[control] })
	return regularPlan(kinds[i], controlGap, length)
}

// regularPlan is one kind of fault with its minimum duration, at regular times.
func regularPlan(k kind, gap, length time.Duration) (plan []fault) {
	for at := gap; at < length; at += gap {
		n := len(plan) + 1
		plan = append(plan, fault{at: at, kind: &k, target: n % k.targets, lasts: k.lasts.min, n: n})
	}
	return plan
}

// caught reports whether the checks found the effect of the missing protection.
func (v *result) caught(control string) bool {
	if control == "no-token" {
		return v.secondRows > 0
	}
	return v.lost > 0
}
