package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	sessionAge  = 12 * time.Hour // from the login
	sessionIdle = time.Hour      // from the last request
	maxSessions = 1024           // beyond it the one that was used least lately ends
	idBytes     = 32
)

// ErrSessionEnded is the cause (context.Cause) that a request's context ends with when its session does.
var ErrSessionEnded = errors.New("the session has ended")

// session is one login of one browser. Times are without the monotonic clock, which stands still while a laptop sleeps.
type session struct {
	began, used time.Time
	context     context.Context // until the session ends
	end         context.CancelCauseFunc
	timer       *time.Timer
}

// left is how long the session lasts if it is not used.
func (s *session) left(now time.Time) time.Duration {
	return min(s.began.Add(sessionAge).Sub(now), s.used.Add(sessionIdle).Sub(now))
}

// sessions are found by a hash of their id: who reads the memory of the process cannot take one over.
type sessions struct {
	gauge prometheus.Gauge

	mu     sync.Mutex
	byHash map[[sha256.Size]byte]*session
}

func newSessions(gauge prometheus.Gauge) *sessions {
	return &sessions{gauge: gauge, byHash: map[[sha256.Size]byte]*session{}}
}

func wallClock() time.Time { return time.Now().Round(0) }

// begin makes a session. Its id is known to the caller alone.
func (s *sessions) begin() (id string) {
	var random [idBytes]byte
	rand.Read(random[:])
	id = base64.RawURLEncoding.EncodeToString(random[:])
	hash := sha256.Sum256([]byte(id))
	now := wallClock()
	made := &session{began: now, used: now}
	made.context, made.end = context.WithCancelCause(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byHash) >= maxSessions {
		s.remove(s.leastLately())
	}
	s.byHash[hash] = made
	made.timer = time.AfterFunc(made.left(now), func() { s.lookAt(hash) })
	s.gauge.Set(float64(len(s.byHash)))
	return id
}

// use finds a session and keeps it from being idle. The context ends with the session.
func (s *sessions) use(id string) (context.Context, bool) {
	hash := sha256.Sum256([]byte(id))
	now := wallClock()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byHash[hash]
	if found == nil {
		return nil, false
	}
	if found.left(now) <= 0 { // its timer is late
		s.remove(hash)
		return nil, false
	}
	found.used = now // its timer finds out
	return found.context, true
}

// lookAt ends a session whose time is over. One that has been used has its timer wait on.
func (s *sessions) lookAt(hash [sha256.Size]byte) {
	now := wallClock()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byHash[hash]
	if found == nil {
		return
	}
	if left := found.left(now); left > 0 {
		found.timer.Reset(left)
		return
	}
	s.remove(hash)
}

// finish ends a session, if there is one with that id.
func (s *sessions) finish(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(sha256.Sum256([]byte(id)))
}

func (s *sessions) finishAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash := range s.byHash {
		s.remove(hash)
	}
}

// remove wants the lock to be held.
func (s *sessions) remove(hash [sha256.Size]byte) {
	found := s.byHash[hash]
	if found == nil {
		return
	}
	delete(s.byHash, hash)
	found.timer.Stop()
	found.end(ErrSessionEnded)
	s.gauge.Set(float64(len(s.byHash)))
}

func (s *sessions) leastLately() (hash [sha256.Size]byte) {
	var oldest *session
	for h, one := range s.byHash {
		if oldest == nil || one.used.Before(oldest.used) {
			hash, oldest = h, one
		}
	}
	return hash
}
