package loader

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A loader that starts anew asks for nobody: whom the last has written down it knows, and whom it has not is a stranger.
func TestARestartAsksForNobody(t *testing.T) {
	const people = 40
	w := newWorld(t, 2)
	first := w.load(t)
	var known, later []said
	want := map[string]string{}
	for i := range people {
		user, at := fmt.Sprintf("u%d", i), time.Duration(i)*time.Second
		known = append(known, identify(user, user+"@x.io", at))
		later = append(later, happened("known"+user, user, "", at), happened("alone"+user, "", user+"@x.io", at), happened("stranger"+user, "visitor"+user, "", at))
		want["known"+user], want["alone"+user], want["stranger"+user] = user+" -", user+" -", "- -"
	}
	w.say(t, known...)
	w.caughtUp(t)
	first.stop(t)

	second := w.load(t)
	w.say(t, later...)
	w.become(t, want)
	require.Zero(t, second.value(t, "millrace_loader_identity_cache_misses_total", ""))
	require.Equal(t, 2.*people, second.value(t, "millrace_loader_identity_cache_entries", ""), "strangers are not kept")
	second.stop(t)
}

// Who knows too many to keep them asks, as ever.
func TestWhoDoesNotFitIsAskedFor(t *testing.T) {
	w := newWorld(t, 2)
	w.config.IdentityCache = 2
	w.say(t, identify("u1", "1@x.io", 0), identify("u2", "2@x.io", 0), identify("u3", "3@x.io", 0))
	first := w.load(t)
	w.caughtUp(t)
	first.stop(t)
	second := w.load(t)
	w.say(t, happened("1", "u1", "", 0), happened("2", "", "2@x.io", 0), happened("3", "u3", "", 0))
	w.become(t, map[string]string{"1": "u1 -", "2": "u2 -", "3": "u3 -"})
	require.Positive(t, second.value(t, "millrace_loader_identity_cache_misses_total", ""))
	second.stop(t)
}
