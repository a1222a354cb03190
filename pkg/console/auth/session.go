package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	sessionLifetime    = 12 * time.Hour // from the login
	sessionIdleTimeout = time.Hour      // from the last request
	maxSessions        = 1024           // a further login ends the least recently used session
)

// ErrSessionEnded is the cause (context.Cause) of a cancelled request context whose session has ended.
var ErrSessionEnded = errors.New("the session has ended")

// sessions creates, renews and ends sessions. scs makes the ids and computes the expiry; store keeps the sessions.
type sessions struct {
	manager *scs.SessionManager

	mu    sync.Mutex
	store *sessionStore
}

func newSessions(gauge prometheus.Gauge) *sessions {
	s := &sessions{}
	s.store = &sessionStore{gauge: gauge, byHash: map[sessionHash]*session{}, expired: s.expire}
	s.manager = &scs.SessionManager{
		Lifetime: sessionLifetime, IdleTimeout: sessionIdleTimeout, Store: s.store,
		Codec: scs.GobCodec{},
	} // scs.New would start a goroutine for a store of its own
	return s
}

// begin creates a session and returns its id, which is stored nowhere.
func (s *sessions) begin() (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, err := s.manager.Load(context.Background(), "")
	if err != nil {
		return "", err
	}
	id, _, err = s.manager.Commit(ctx)
	return id, err
}

// use finds a session and restarts its idle timeout. The returned context ends with the session.
func (s *sessions) use(id string) (context.Context, bool) {
	s.mu.Lock() // from Load to Commit: otherwise Commit could restore a session that ended in between
	defer s.mu.Unlock()
	ctx, err := s.manager.Load(context.Background(), id)
	if err != nil || s.manager.Token(ctx) == "" {
		return nil, false
	}
	if _, _, err := s.manager.Commit(ctx); err != nil {
		return nil, false
	}
	return s.store.byHash[hashOf(id)].ctx, true
}

// end ends the session with that id, if there is one.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.remove(hashOf(id))
}

func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash := range s.store.byHash {
		s.store.remove(hash)
	}
}

// expire ends a session whose timer has fired, unless a request has renewed it since.
func (s *sessions) expire(hash sessionHash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.store.byHash[hash]
	if found == nil {
		return
	}
	if left := found.expires.Sub(wallClock()); left > 0 {
		found.timer.Reset(left)
		return
	}
	s.store.remove(hash)
}
