package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func sessionsOf() *sessions {
	return newSessions(prometheus.NewGauge(prometheus.GaugeOpts{Name: "sessions"}))
}

func begin(t *testing.T, s *sessions) string {
	t.Helper()
	id, err := s.begin()
	require.NoError(t, err)
	return id
}

func requireEnded(t *testing.T, session context.Context) {
	t.Helper()
	synctest.Wait()
	require.ErrorIs(t, context.Cause(session), ErrSessionEnded)
}

func TestSessions_Idle_End(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		id := begin(t, s)
		for range 3 {
			time.Sleep(sessionIdleTimeout - 1)
			_, ok := s.use(id)
			require.True(t, ok, "each use restarts the idle timeout")
		}
		session, _ := s.use(id)
		time.Sleep(sessionIdleTimeout - 1)
		synctest.Wait()
		require.NoError(t, session.Err())
		time.Sleep(time.Nanosecond)
		requireEnded(t, session)
		_, ok := s.use(id)
		require.False(t, ok)
		require.Empty(t, s.store.byHash)
		require.Zero(t, valueOf(t, s.store.gauge))
	})
}

func TestSessions_UsedSession_EndsAfterLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		began := time.Now()
		id := begin(t, s)
		session, _ := s.use(id)
		for time.Since(began) < sessionLifetime-sessionIdleTimeout/2 {
			time.Sleep(sessionIdleTimeout / 2)
			_, ok := s.use(id)
			require.True(t, ok)
		}
		time.Sleep(sessionLifetime - time.Since(began) - 1)
		_, ok := s.use(id)
		require.True(t, ok)
		time.Sleep(time.Nanosecond)
		requireEnded(t, session)
		_, ok = s.use(id)
		require.False(t, ok)
	})
}

// A timer may be late, for example after a laptop's sleep. The expiry time decides.
func TestSessions_LateTimer_SessionIsExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		id := begin(t, s)
		session, _ := s.use(id)
		s.mu.Lock()
		s.store.byHash[sha256.Sum256([]byte(id))].timer.Stop()
		s.mu.Unlock()
		time.Sleep(sessionIdleTimeout)
		_, ok := s.use(id)
		require.False(t, ok)
		requireEnded(t, session)
	})
}

// A session may have been used between the firing of its timer and the lock.
func TestSessions_EarlyTimer_SessionContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		id := begin(t, s)
		session, _ := s.use(id)
		s.expire(sha256.Sum256([]byte(id)))
		time.Sleep(sessionIdleTimeout - 1)
		synctest.Wait()
		require.NoError(t, session.Err())
		time.Sleep(time.Nanosecond)
		requireEnded(t, session)
	})
}

func TestSessions_AtMaximum_EndLeastRecentlyUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		var ids []string
		for range maxSessions {
			ids = append(ids, begin(t, s))
			time.Sleep(time.Millisecond)
		}
		_, ok := s.use(ids[0])
		require.True(t, ok)
		time.Sleep(time.Millisecond)
		second, ok := s.use(ids[1])
		require.True(t, ok)
		for _, id := range ids[2:] {
			s.use(id)
		}
		begin(t, s)
		require.Len(t, s.store.byHash, maxSessions)
		_, ok = s.use(ids[0])
		require.False(t, ok, "the least recently used session has ended")
		require.NoError(t, second.Err())
		require.EqualValues(t, maxSessions, valueOf(t, s.store.gauge))
		s.endAll()
		requireEnded(t, second)
		require.Empty(t, s.store.byHash)
		require.Zero(t, valueOf(t, s.store.gauge))
	})
}

func TestSessions_ID_IsRandomAndNotStored(t *testing.T) {
	s := sessionsOf()
	seen := map[string]bool{}
	for range 100 {
		id := begin(t, s)
		raw, err := base64.RawURLEncoding.DecodeString(id)
		require.NoError(t, err)
		require.Len(t, raw, 32)
		require.False(t, seen[id])
		seen[id] = true
		require.NotContains(t, s.store.byHash, [32]byte(raw))
	}
	for hash := range s.store.byHash {
		_, ok := s.use(string(hash[:]))
		require.False(t, ok, "a hash is not a valid id")
		_, ok = s.use(base64.RawURLEncoding.EncodeToString(hash[:]))
		require.False(t, ok)
	}
	s.endAll()
}

// A stream ends with its session without a further request.
func TestHandler_ExpiredSession_EndsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, withPassword(t), allInterfaces)
		id := begin(t, a.sessions)
		r := httptest.NewRequest(http.MethodGet, "http://console.example.com"+Path+"/stream", nil)
		r.AddCookie(&http.Cookie{Name: plainCookie, Value: id})
		answer := httptest.NewRecorder()
		began := time.Now()
		handler(a).ServeHTTP(answer, r) // returns when the stream ends
		require.Equal(t, sessionIdleTimeout, time.Since(began))
		require.Equal(t, []string{"streaming", ErrSessionEnded.Error()}, strings.Split(strings.TrimSpace(answer.Body.String()), "\n"))
	})
}
