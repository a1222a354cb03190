package auth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Failed logins: an address may fail 5 times, then once in 30 s; all addresses together 20 times, then once a second.
const (
	addressBurst    = 5
	addressInterval = 30 * time.Second
	totalBurst      = 20
	totalInterval   = time.Second
)

// maxAddresses bounds the remembered addresses. An address is remembered until its bucket is full again, at most
// addressBurst × addressInterval = 150 s. Each has taken a token of the total, which has 20 + 150 tokens in that time.
const maxAddresses = 256

// limiter limits failed logins. An attempt takes a token before the password is checked, and a successful login
// returns it: concurrent attempts cannot exceed the limit.
type limiter struct {
	mu        sync.Mutex
	total     *rate.Limiter
	byAddress map[netip.Addr]*rate.Limiter
}

func newLimiter() *limiter {
	return &limiter{
		total:     rate.NewLimiter(rate.Every(totalInterval), totalBurst),
		byAddress: map[netip.Addr]*rate.Limiter{},
	}
}

// take takes a token for an attempt, or returns the time until there is one. A rejected attempt takes no token.
func (l *limiter) take(address netip.Addr) (wait time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := takeToken(l.total, now); wait > 0 {
		return wait
	}
	own := l.byAddress[address]
	if own == nil {
		own = rate.NewLimiter(rate.Every(addressInterval), addressBurst)
	}
	if wait := takeToken(own, now); wait > 0 {
		returnToken(l.total, now)
		return wait
	}
	if len(l.byAddress) >= maxAddresses {
		l.forgetFull(now)
	}
	l.byAddress[address] = own
	return 0
}

// giveBack returns the token of take.
func (l *limiter) giveBack(address netip.Addr) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	returnToken(l.total, now)
	if own := l.byAddress[address]; own != nil {
		returnToken(own, now)
	}
}

// forgetFull forgets addresses with a full bucket: they are like new ones.
func (l *limiter) forgetFull(now time.Time) {
	for address, own := range l.byAddress {
		if own.TokensAt(now) >= addressBurst {
			delete(l.byAddress, address)
		}
	}
}

func takeToken(l *rate.Limiter, now time.Time) (wait time.Duration) {
	r := l.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// returnToken adds one token. Reservation.Cancel does not, once a reservation may act.
func returnToken(l *rate.Limiter, now time.Time) { l.AllowN(now, -1) }
