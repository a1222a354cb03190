package attribution

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A failing workspace is found by halving. The others leave it after a few passes.
func TestQueues_OneWorkspaceFails_IsIsolated(t *testing.T) {
	a := &Service{queues: map[string]*workspaceQueue{}, reviseNow: make(chan struct{}, 1)}
	start := time.Now()
	for i := range 100 {
		one := &changes{reassigned: []entity{{fmt.Sprint(i), "u", ""}}}
		a.queueOf(fmt.Sprint(i)).push(one, start.Add(time.Duration(i)), start)
	}
	passes, now := 0, start
	for ; passes < 40; passes++ {
		queues, _ := a.nextPass(now)
		if len(queues) == 0 {
			break
		}
		outcome := passed
		for _, q := range queues {
			if q.workspace == "57" {
				outcome = failed
			}
		}
		a.mu.Lock()
		for _, q := range queues {
			a.finishPass(q, len(queues), outcome, time.Second)
		}
		a.mu.Unlock()
	}
	require.Len(t, a.queues, 1)
	require.Less(t, passes, 20)
	require.Len(t, a.queues["57"].reassigned, 1, "its changes are kept")
	require.Equal(t, 1, a.queues["57"].batchLimit)
	_, wait := a.nextPass(now)
	require.Less(t, wait, pollInterval, "it waits for retryAt")

	queues, _ := a.nextPass(now.Add(time.Hour))
	require.Len(t, queues, 1)
	isolated := a.queueOf("58")
	isolated.batchLimit = 1
	isolated.push(&changes{reassigned: []entity{{"58", "u", ""}}}, start, start)
	queues, _ = a.nextPass(now.Add(time.Hour))
	require.Empty(t, queues, "one isolated workspace runs at a time")
	a.queueOf("59").push(&changes{reassigned: []entity{{"59", "u", ""}}}, start, start)
	queues, _ = a.nextPass(now)
	require.Len(t, queues, 1, "others still run")
}
