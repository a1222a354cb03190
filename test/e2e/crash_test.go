package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience = 30 * time.Second
	poll     = 100 * time.Millisecond
)

// ledger is what was sent and how it was answered.
type ledger struct {
	sync.Mutex
	sent, answered map[string]bool
}

// hammer sends batches until stop is closed. It stops at errors too: the process is gone then.
func (l *ledger) hammer(worker string, url string, stop <-chan struct{}) {
	client := &http.Client{Timeout: 10 * time.Second}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		var ids, messages []string
		for i := range 50 {
			id := fmt.Sprintf("%s-%d-%d", worker, n, i)
			ids = append(ids, id)
			messages = append(messages, fmt.Sprintf(`{"type":"track","event":"E","messageId":"%s","timestamp":"2026-%02d-18T12:00:00Z","properties":{"id":"%s"}}`, id, 1+i%12, id))
		}
		l.note(l.sent, ids)
		status, _, err := tryPost(client, url, "["+strings.Join(messages, ",")+"]")
		if err != nil {
			return
		}
		if status == http.StatusOK {
			l.note(l.answered, ids)
		}
	}
}

func (l *ledger) note(set map[string]bool, ids []string) {
	l.Lock()
	defer l.Unlock()
	for _, id := range ids {
		set[id] = true
	}
}

// Everything is killed in mid-stream, again and again: the edge, the broker, the loader, and ClickHouse
// with them. What was answered with 200 is there once, and nothing is there that was not sent.
func TestUp_Killed_LosesNoAcknowledgedMessage(t *testing.T) {
	data := t.TempDir()
	l := &ledger{sent: map[string]bool{}, answered: map[string]bool{}}
	for round := range 4 {
		u := startUp(t, data, "--block-linger", "50ms")
		stop := make(chan struct{})
		var workers sync.WaitGroup
		for w := range 4 {
			workers.Go(func() { l.hammer(fmt.Sprintf("%d-%d", round, w), u.SegmentURL, stop) })
		}
		time.Sleep(time.Duration(700+300*round) * time.Millisecond)
		u.kill()
		close(stop)
		workers.Wait()
	}
	require.Greater(t, len(l.answered), 1000, "the control: much was under way")

	u := startUp(t, data)
	// After another event has come through, all before it in its product's partition has.
	status, _ := post(t, u.SegmentURL, `{"type":"track","event":"E","messageId":"last"}`)
	require.Equal(t, http.StatusOK, status)
	u.await("1", "SELECT count() FROM outcomes WHERE message_id = 'last'")

	got := strings.Split(u.sql("SELECT message_id FROM outcomes WHERE message_id != 'last'"), "\n")
	seen := map[string]bool{}
	for _, id := range got {
		require.True(t, l.sent[id], "%q was never sent", id)
		require.False(t, seen[id], "%q is there twice", id)
		seen[id] = true
	}
	for id := range l.answered {
		require.True(t, seen[id], "%q was answered with 200 and is lost", id)
	}
	require.Equal(t, "0", u.sql(`SELECT countIf(properties != '{"id":"' || message_id || '"}') FROM outcomes WHERE message_id != 'last'`))
	require.Equal(t, "0", u.sql("SELECT count() FROM dead_letters"))
	require.NoError(t, u.stop())
	t.Logf("%d sent, %d answered, %d stored", len(l.sent), len(l.answered), len(seen))
}

// A stop in mid-stream drains: every request gets its answer, and the answered events are there after
// the next start.
func TestUp_StoppedUnderLoad_Drains(t *testing.T) {
	data := t.TempDir()
	l := &ledger{sent: map[string]bool{}, answered: map[string]bool{}}
	u := startUp(t, data)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() { l.hammer(fmt.Sprint(w), u.SegmentURL, stop) })
	}
	time.Sleep(time.Second)
	require.NoError(t, u.stop(), "it ends with status 0")
	close(stop)
	workers.Wait()
	require.NotEmpty(t, l.answered)

	again := startUp(t, data)
	again.await(fmt.Sprint(len(l.answered)), "SELECT count() FROM outcomes")
	require.Equal(t, again.sql("SELECT count() FROM outcomes"), again.sql("SELECT count() FROM events"), "a clean stop leaves no row twice")
	require.NoError(t, again.stop())
}
