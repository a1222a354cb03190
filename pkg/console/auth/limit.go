package auth

import (
	"net/netip"
	"sync"
	"time"
)

// rate is how many failures there may be at once, and how long one takes to be forgotten.
type rate struct {
	burst int
	every time.Duration
}

var (
	rateOfEach = rate{5, 30 * time.Second}
	rateOfAll  = rate{20, time.Second}
)

// maxAddresses bounds the addresses that are remembered. One is remembered until its bucket is full again, at most burst·every =
// 150 s, and each has taken from the bucket of all, which gives 20 + 150 in that time: see TestTheAddressesRememberedAreBounded.
const maxAddresses = 256

// bucket is a token bucket: the time at which it will be full. The zero value is a full one.
type bucket struct{ full time.Time }

// take takes a token, or says how long it is until there is one.
func (b *bucket) take(r rate, now time.Time) (wait time.Duration) {
	full := now
	if b.full.After(now) {
		full = b.full
	}
	full = full.Add(r.every)
	if wait := full.Sub(now) - time.Duration(r.burst)*r.every; wait > 0 {
		return wait
	}
	b.full = full
	return 0
}

func (b *bucket) give(r rate) { b.full = b.full.Add(-r.every) }

// limiter bounds failed logins, of each address and of all. Who tries takes a token, and who succeeds gives it back: so those
// who try at once cannot be more than those who may fail.
type limiter struct {
	mu   sync.Mutex
	all  bucket
	each map[netip.Addr]bucket
}

func newLimiter() *limiter { return &limiter{each: map[netip.Addr]bucket{}} }

// take lets an address try, or says how long it has to wait. Who has to wait takes nothing from the others.
func (l *limiter) take(who netip.Addr) (wait time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.all.take(rateOfAll, now); wait > 0 {
		return wait
	}
	b := l.each[who]
	if wait := b.take(rateOfEach, now); wait > 0 {
		l.all.give(rateOfAll)
		return wait
	}
	if len(l.each) >= maxAddresses {
		l.forget(now)
	}
	l.each[who] = b
	return 0
}

// give gives back what take took.
func (l *limiter) give(who netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.give(rateOfAll)
	if b, ok := l.each[who]; ok {
		b.give(rateOfEach)
		l.each[who] = b
	}
}

// forget forgets the addresses whose bucket is full: they are like any other.
func (l *limiter) forget(now time.Time) {
	for who, b := range l.each {
		if !b.full.After(now) {
			delete(l.each, who)
		}
	}
}
