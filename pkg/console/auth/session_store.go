package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type sessionHash = [sha256.Size]byte

func hashOf(id string) sessionHash { return sha256.Sum256([]byte(id)) }

// wallClock is the time without the monotonic clock, which stops while a laptop sleeps.
func wallClock() time.Time { return time.Now().Round(0) }

// session is one login of one browser.
type session struct {
	data              []byte // scs's encoding
	lastUsed, expires time.Time
	ctx               context.Context // until the session ends
	cancel            context.CancelCauseFunc
	timer             *time.Timer
}

// sessionStore implements scs.Store in memory. Keys are hashes of ids, so that the process's memory reveals no valid
// id. It needs no lock: the caller holds sessions.mu.
type sessionStore struct {
	gauge   prometheus.Gauge
	byHash  map[sessionHash]*session
	expired func(sessionHash) // called by a session's timer, without the lock
}

// Find implements scs.Store. It removes an expired session whose timer is late.
func (s *sessionStore) Find(id string) (data []byte, exists bool, err error) {
	hash := hashOf(id)
	found := s.byHash[hash]
	if found == nil {
		return nil, false, nil
	}
	if !wallClock().Before(found.expires) {
		s.remove(hash)
		return nil, false, nil
	}
	return found.data, true, nil
}

// Commit implements scs.Store: it adds or renews a session.
func (s *sessionStore) Commit(id string, data []byte, expiry time.Time) error {
	hash, now := hashOf(id), wallClock()
	one := s.byHash[hash]
	if one == nil {
		if len(s.byHash) >= maxSessions {
			s.remove(s.leastRecentlyUsed())
		}
		one = &session{timer: time.AfterFunc(expiry.Sub(now), func() { s.expired(hash) })}
		one.ctx, one.cancel = context.WithCancelCause(context.Background())
		s.byHash[hash] = one
		s.gauge.Set(float64(len(s.byHash)))
	}
	one.data, one.lastUsed, one.expires = data, now, expiry.Round(0) // the timer reads the new expiry when it fires
	return nil
}

// Delete implements scs.Store.
func (s *sessionStore) Delete(id string) error {
	s.remove(hashOf(id))
	return nil
}

func (s *sessionStore) remove(hash sessionHash) {
	found := s.byHash[hash]
	if found == nil {
		return
	}
	delete(s.byHash, hash)
	found.timer.Stop()
	found.cancel(ErrSessionEnded)
	s.gauge.Set(float64(len(s.byHash)))
}

func (s *sessionStore) leastRecentlyUsed() (hash sessionHash) {
	var oldest *session
	for h, one := range s.byHash {
		if oldest == nil || one.lastUsed.Before(oldest.lastUsed) {
			hash, oldest = h, one
		}
	}
	return hash
}
