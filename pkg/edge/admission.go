package edge

import "sync/atomic"

// admission bounds the requests and the bytes of bodies in flight: overload gives refusals, not memory exhaustion.
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

func (a *admission) reserveBytes(n int64) bool {
	if a.bytes.Add(n) > a.maxBytes {
		a.bytes.Add(-n)
		return false
	}
	return true
}

func (a *admission) releaseBytes(n int64) { a.bytes.Add(-n) }
