package loader

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// After a restart a loader looks up no user: stored users are preloaded, and all others are unknown.
func TestLoader_Restart_LooksUpNoUser(t *testing.T) {
	const users = 40
	w := newWorld(t, 2)
	first := w.load(t)
	var known, later []testMessage
	want := map[string]string{}
	for i := range users {
		user, at := fmt.Sprintf("u%d", i), time.Duration(i)*time.Second
		known = append(known, newIdentify(user, user+"@x.io", at))
		later = append(later, newEvent("id"+user, user, "", at), newEvent("address"+user, "", user+"@x.io", at),
			newEvent("unknown"+user, "visitor"+user, "", at))
		want["id"+user], want["address"+user], want["unknown"+user] = user+" -", user+" -", "- -"
	}
	w.send(t, known...)
	w.caughtUp(t)
	first.stop(t)

	second := w.load(t)
	w.send(t, later...)
	w.awaitAttributed(t, want)
	require.Zero(t, second.value(t, "millrace_loader_identity_cache_misses_total", ""))
	require.Equal(t, 2.*users, second.value(t, "millrace_loader_identity_cache_entries", ""), "unknown ids are not kept")
	second.stop(t)
}

// If the cache is too small for all users, they are looked up.
func TestLoader_CacheTooSmall_LooksUpUsers(t *testing.T) {
	w := newWorld(t, 2)
	w.config.IdentityCache = 2
	w.send(t, newIdentify("u1", "1@x.io", 0), newIdentify("u2", "2@x.io", 0), newIdentify("u3", "3@x.io", 0))
	first := w.load(t)
	w.caughtUp(t)
	first.stop(t)
	second := w.load(t)
	w.send(t, newEvent("1", "u1", "", 0), newEvent("2", "", "2@x.io", 0), newEvent("3", "u3", "", 0))
	w.awaitAttributed(t, map[string]string{"1": "u1 -", "2": "u2 -", "3": "u3 -"})
	require.Positive(t, second.value(t, "millrace_loader_identity_cache_misses_total", ""))
	second.stop(t)
}
