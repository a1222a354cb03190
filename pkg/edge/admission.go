package edge

import "sync/atomic"

// admission bounds what is held at once, so that a crowd of large or slow requests costs answers, not
// memory.
type admission struct {
	maxBytes, maxRequests int64
	bytes, requests       atomic.Int64
}

func (a *admission) enter() bool {
	if a.requests.Add(1) > a.maxRequests {
		a.requests.Add(-1)
		return false
	}
	return true
}

func (a *admission) leave() { a.requests.Add(-1) }

func (a *admission) take(n int64) bool {
	if a.bytes.Add(n) > a.maxBytes {
		a.bytes.Add(-n)
		return false
	}
	return true
}

func (a *admission) give(n int64) { a.bytes.Add(-n) }
