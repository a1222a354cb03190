package edge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/pkg/connection"
)

// Bodies, payloads and records are used again while others are under way, are given up, or come late.
// What is in the log must be what was sent, byte for byte, and all of what got a 200.
func TestMemoryIsNotReusedTooEarly(t *testing.T) {
	t.Parallel()
	const senders, requests = 8, 40
	r, broker := start(t, impatient)
	s := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	var n int
	f := failRequests(broker, kmsg.Produce, r.writes(ingest), func(request *kmsg.ProduceRequest) (kmsg.Response, error) {
		if n++; n%2 == 0 {
			return nil, errFault
		}
		return refuseProduce([]*kerr.Error{kerr.NotEnoughReplicasAfterAppend, kerr.InvalidRecord}[n/2%2])(request)
	})
	var mu sync.Mutex
	sent, safe := map[string]bool{track: true}, map[string]bool{track: true}
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(sender)))
			for i := range requests {
				if sender == 0 && i == requests/10 {
					f.mend()
				}
				var messages []string
				for m := range 1 + random.IntN(20) {
					id := fmt.Sprintf("%d-%d-%d-", sender, i, m)
					messages = append(messages, `{"type":"track","event":"e","messageId":"`+strings.Repeat(id, 1+random.IntN(200))+`"}`)
				}
				mu.Lock()
				for _, message := range messages {
					sent[message] = true
				}
				mu.Unlock()
				body, headers := "["+strings.Join(messages, ",")+"]", []string(nil)
				if i%3 == 0 {
					body, headers = pack(t, "gzip", body), []string{"Content-Encoding", "gzip"}
				}
				if r.post(s.path(), body, headers...).status != 200 {
					continue
				}
				mu.Lock()
				for _, message := range messages {
					safe[message] = true
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Positive(t, f.hits.Load())
	require.Less(t, len(safe), len(sent), "no request failed")
	require.Greater(t, len(safe), len(sent)/4, "too few came through")
	r.requireNothingHeld()
	for _, value := range values(r.records(ingest)) {
		require.True(t, sent[value], "a record that nobody sent")
		delete(safe, value)
	}
	require.Empty(t, safe, "acknowledged, but not in the log")
}
