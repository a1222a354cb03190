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

func requireEnded(t *testing.T, session context.Context) {
	t.Helper()
	synctest.Wait()
	require.ErrorIs(t, context.Cause(session), ErrSessionEnded)
}

func TestAnIdleSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		id := s.begin()
		for range 3 {
			time.Sleep(sessionIdle - 1)
			_, ok := s.use(id)
			require.True(t, ok, "each use keeps it")
		}
		session, _ := s.use(id)
		time.Sleep(sessionIdle - 1)
		synctest.Wait()
		require.NoError(t, session.Err())
		time.Sleep(time.Nanosecond)
		requireEnded(t, session)
		_, ok := s.use(id)
		require.False(t, ok)
		require.Empty(t, s.byHash)
		require.Zero(t, valueOf(t, s.gauge))
	})
}

func TestASessionEndsHoweverMuchItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		began := time.Now()
		id := s.begin()
		session, _ := s.use(id)
		for time.Since(began) < sessionAge-sessionIdle/2 {
			time.Sleep(sessionIdle / 2)
			_, ok := s.use(id)
			require.True(t, ok)
		}
		time.Sleep(sessionAge - time.Since(began) - 1)
		_, ok := s.use(id)
		require.True(t, ok)
		time.Sleep(time.Nanosecond)
		requireEnded(t, session)
		_, ok = s.use(id)
		require.False(t, ok)
	})
}

// A timer may be late, by a laptop's sleep or by the scheduler: what counts is the time.
func TestALateTimerKeepsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		id := s.begin()
		session, _ := s.use(id)
		s.mu.Lock()
		s.byHash[sha256.Sum256([]byte(id))].timer.Stop()
		s.mu.Unlock()
		time.Sleep(sessionIdle)
		_, ok := s.use(id)
		require.False(t, ok)
		requireEnded(t, session)
	})
}

// A timer may find that the session has been used since it went off.
func TestAnEarlyTimerEndsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		id := s.begin()
		session, _ := s.use(id)
		s.lookAt(sha256.Sum256([]byte(id)))
		time.Sleep(sessionIdle - 1)
		synctest.Wait()
		require.NoError(t, session.Err())
		time.Sleep(time.Nanosecond)
		requireEnded(t, session)
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf()
		var ids []string
		for range maxSessions {
			ids = append(ids, s.begin())
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
		s.begin()
		require.Len(t, s.byHash, maxSessions)
		_, ok = s.use(ids[0])
		require.False(t, ok, "the one that was used least lately has ended")
		require.NoError(t, second.Err())
		require.EqualValues(t, maxSessions, valueOf(t, s.gauge))
		s.finishAll()
		requireEnded(t, second)
		require.Empty(t, s.byHash)
		require.Zero(t, valueOf(t, s.gauge))
	})
}

func TestAnIDIsRandomAndNotKept(t *testing.T) {
	s := sessionsOf()
	seen := map[string]bool{}
	for range 100 {
		id := s.begin()
		raw, err := base64.RawURLEncoding.DecodeString(id)
		require.NoError(t, err)
		require.Len(t, raw, 32)
		require.False(t, seen[id])
		seen[id] = true
		require.NotContains(t, s.byHash, [32]byte(raw))
	}
	for hash := range s.byHash {
		_, ok := s.use(string(hash[:]))
		require.False(t, ok, "its hash opens nothing")
		_, ok = s.use(base64.RawURLEncoding.EncodeToString(hash[:]))
		require.False(t, ok)
	}
	s.finishAll()
}

// What is streamed ends when the session does, though nobody asks for anything.
func TestAStreamEndsWhenItsSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, withPassword(t), allInterfaces)
		id := a.sessions.begin()
		r := httptest.NewRequest(http.MethodGet, "http://console.example.com"+Path+"/live", nil)
		r.AddCookie(&http.Cookie{Name: plainCookie, Value: id})
		answer := httptest.NewRecorder()
		began := time.Now()
		handler(a).ServeHTTP(answer, r) // returns when the stream ends
		require.Equal(t, sessionIdle, time.Since(began))
		require.Equal(t, []string{"streaming", ErrSessionEnded.Error()}, strings.Split(strings.TrimSpace(answer.Body.String()), "\n"))
	})
}
