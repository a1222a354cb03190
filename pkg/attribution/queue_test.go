package attribution

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever shares a pass with one that fails is free again after a few.
func TestDesksPartFromTheOneInTrouble(t *testing.T) {
	a := &Service{desks: map[string]*desk{}, work: make(chan struct{}, 1)}
	start := time.Now()
	for i := range 100 {
		a.deskOf(fmt.Sprint(i)).put(&news{moved: []moved{{fmt.Sprint(i), "u", ""}}}, start.Add(time.Duration(i)), start)
	}
	passes, now := 0, start
	for ; passes < 40; passes++ {
		desks, _ := a.pick(now)
		if len(desks) == 0 {
			break
		}
		failed := false
		for _, d := range desks {
			failed = failed || d.workspace == "57"
		}
		a.mu.Lock()
		for _, d := range desks {
			a.finish(d, len(desks), failed, false, time.Second)
		}
		a.mu.Unlock()
	}
	require.Len(t, a.desks, 1)
	require.Less(t, passes, 20)
	require.Len(t, a.desks["57"].moved, 1, "its news are there still")
	require.Equal(t, 1, a.desks["57"].company)
	_, wait := a.pick(now)
	require.Less(t, wait, pollInterval, "it rests")

	desks, _ := a.pick(now.Add(time.Hour))
	require.Len(t, desks, 1)
	again := a.deskOf("58")
	again.company = 1
	again.put(&news{moved: []moved{{"58", "u", ""}}}, start, start)
	desks, _ = a.pick(now.Add(time.Hour))
	require.Empty(t, desks, "of those that have to be alone one at a time")
	a.deskOf("59").put(&news{moved: []moved{{"59", "u", ""}}}, start, start)
	desks, _ = a.pick(now)
	require.Len(t, desks, 1, "and the rest go on")
}
