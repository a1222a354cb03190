package edge

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

// Tokens that are malformed, forged or of no connection cost no scrypt, however many come, and good senders
// get their answers beside them.
func TestBadTokens_Flood_DoesNotDelayOthers(t *testing.T) {
	r, _ := start(t)
	good := r.create(connection.CreateParams{})
	requireAnswer(t, r.post(good.path(), track), 200, accepted(1, 1, 0))
	r.requireMetricOf("millrace_connection_scrypt_runs_total", "1")

	forger, stranger := token.NewKey(), token.NewConnectionID()
	const senders, each = 4, 1000
	var wait sync.WaitGroup
	for range senders {
		wait.Go(func() {
			for n := range each {
				var bad string
				switch n % 5 {
				case 0:
					bad = strings.Repeat("x", n%300+1)
				case 1:
					bad = forger.Mint(good.ID).Reveal()
				case 2:
					bad = r.key.Mint(stranger).Reveal() // made with our key, as a deleted connection's was
				case 3:
					bad = good.token[:len(good.token)-1] + "!"
				case 4:
					bad = good.token + "0"
				}
				if status := r.post("/v1/segment/"+bad, track).status; status != 401 {
					t.Errorf("a bad token got %d", status)
				}
			}
		})
	}
	for range each / 10 {
		requireAnswer(t, r.post(good.path(), track), 200, accepted(1, 1, 0))
	}
	wait.Wait()
	r.requireMetricOf("millrace_connection_scrypt_runs_total", "1")
	require.Len(t, r.records(ingest), 1+each/10)
}
