package connection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

// runs of scrypt that a call costs.
func (p *process) runs(t testing.TB, call func()) int {
	t.Helper()
	before := count(t, p.metrics.scrypt)
	call()
	return count(t, p.metrics.scrypt) - before
}

func TestVerifyAccepts(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	open := p.create(t, CreateParams{})
	closed := p.create(t, CreateParams{Secret: token.NewSecret("a secret")})
	for _, c := range []struct {
		created Created
		secret  string
		cost    int
	}{{open, "", 1}, {closed, "a secret", 2}} {
		for i := range 3 {
			cost := p.runs(t, func() {
				got, err := p.verify(c.created.Token, c.secret)
				require.NoError(t, err)
				require.Equal(t, c.created.Connection, *got)
			})
			if i > 0 {
				require.Zero(t, cost)
			} else {
				require.Equal(t, c.cost, cost)
			}
		}
	}
	require.Equal(t, 4, count(t, p.metrics.hitProcess))
}

// A header that nobody asked for must not cost a proof for each of its values.
func TestVerifyIgnoresASecretThatIsNotNeeded(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	require.Equal(t, 1, p.runs(t, func() {
		for i := range 10 {
			_, err := p.verify(created.Token, fmt.Sprint("some value ", i))
			require.NoError(t, err)
		}
	}))
}

func TestVerifyRefusesWithoutAProof(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	closed := p.create(t, CreateParams{Secret: token.NewSecret("a secret")})
	deleted := p.create(t, CreateParams{})
	p.log.topic.append(connectionKey(deleted.Connection.ID), nil)
	onlyActivity := p.key.Mint(token.NewConnectionID())
	id, _ := p.key.Parse([]byte(onlyActivity.Reveal()))
	p.log.topic.append(activityKey(string(id)), encodedActivity(t, 1, 2))
	p.catchUp(t)
	require.Zero(t, p.runs(t, func() {
		for name, c := range map[string]struct{ token, secret string }{
			"empty":            {"", ""},
			"malformed":        {"mr1_nonsense", ""},
			"forged":           {token.NewKey().Mint(closed.Connection.ID).Reveal(), "a secret"},
			"unknown":          {p.key.Mint(token.NewConnectionID()).Reveal(), ""},
			"deleted":          {deleted.Token.Reveal(), ""},
			"never existed":    {onlyActivity.Reveal(), ""},
			"secret missing":   {closed.Token.Reveal(), ""},
			"secret too large": {closed.Token.Reveal(), string(make([]byte, MaxSecretBytes+1))},
		} {
			_, err := p.verify(token.NewSecret(c.token), c.secret)
			require.Equal(t, ErrInvalid, err, name)
		}
	}))
}

// What was found wrong once is refused from memory: a sender that goes on with an old URL costs one
// scrypt, not one per request.
func TestVerify_CachesRejections(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{Secret: token.NewSecret("a secret")})
	require.Equal(t, 1, p.runs(t, func() {
		for range 3 {
			_, err := p.verify(created.Token, "a Secret")
			require.Equal(t, ErrInvalid, err)
		}
	}), "the secret is tried first")
	_, err := p.verify(created.Token, "a secret")
	require.NoError(t, err)

	fresh := p.rotate(t, created.Connection)
	require.Equal(t, 2, p.runs(t, func() {
		for range 3 {
			_, err := p.verify(created.Token, "a secret")
			require.Equal(t, ErrInvalid, err)
		}
	}))
	require.Equal(t, 4, count(t, p.metrics.hitRejected))
	got, err := p.verify(fresh, "a secret")
	require.NoError(t, err)
	require.Equal(t, uint64(2), got.Generation)
}

func TestVerifyFollowsTheSecret(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	_, err := p.verify(created.Token, "")
	require.NoError(t, err)
	p.change(t, created.Connection, func(c *Connection) { c.Generation, c.SecretHash = 2, hashed(t, "a secret") })
	_, err = p.verify(created.Token, "")
	require.Equal(t, ErrInvalid, err)
	_, err = p.verify(created.Token, "a secret")
	require.NoError(t, err)
	p.change(t, created.Connection, func(c *Connection) { c.Generation = 3 })
	_, err = p.verify(created.Token, "")
	require.NoError(t, err)
}

// Pausing is no matter of the token: the memo stays good, and the caller learns the state.
func TestVerifyReturnsPausedConnections(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	_, err := p.verify(created.Token, "")
	require.NoError(t, err)
	for _, state := range []State{Paused, Disconnected, Enabled} {
		p.change(t, created.Connection, func(c *Connection) { c.State = state })
		require.Zero(t, p.runs(t, func() {
			got, err := p.verify(created.Token, "")
			require.NoError(t, err)
			require.Equal(t, state, got.State)
		}))
	}
}

func TestVerifyWithoutAFreshRegistry(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	_, err := p.verify(created.Token, "")
	require.NoError(t, err)
	p.log.expire()
	for _, text := range []token.Secret{created.Token, p.key.Mint(token.NewConnectionID()), p.key.Mint(created.Connection.ID)} {
		_, err = p.verify(text, "")
		require.ErrorIs(t, err, ErrUnavailable)
	}
	_, err = p.verify(token.NewKey().Mint(created.Connection.ID), "")
	require.Equal(t, ErrInvalid, err, "a forged token is told without the registry")
	p.log.cutOff.Store(false)
	_, err = p.verify(created.Token, "")
	require.NoError(t, err)
}

func TestVerify_ConcurrentRequests_ProveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		created := p.create(t, CreateParams{Secret: token.NewSecret("a secret")})
		wrong := p.key.Mint(created.Connection.ID)
		e := get(&p.registry.index, created.Connection.ID)
		e.gate <- struct{}{}
		var all sync.WaitGroup
		var accepted, refused atomic.Int64
		for i := range 64 {
			all.Go(func() {
				text := created.Token
				if i%2 == 0 {
					text = wrong
				}
				switch _, err := p.verify(text, "a secret"); {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, ErrInvalid):
					refused.Add(1)
				}
			})
		}
		synctest.Wait() // now all of them found nothing in memory, and wait
		require.Equal(t, 4, p.runs(t, func() { <-e.gate; all.Wait() }))
		require.Equal(t, []int64{32, 32}, []int64{accepted.Load(), refused.Load()})
	})
}

func TestVerifyGivesUpWaitingWithItsContext(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	text := []byte(created.Token.Reveal())
	e := get(&p.registry.index, created.Connection.ID)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()

	e.gate <- struct{}{}
	_, err := p.verifier.Verify(ctx, text, nil)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	<-e.gate

	all := int64(DefaultHashers())
	require.NoError(t, p.verifier.hashers.Acquire(context.Background(), all))
	_, err = p.verifier.Verify(ctx, text, nil)
	require.ErrorIs(t, err, ErrUnavailable)
	p.verifier.hashers.Release(all)

	_, err = p.verify(created.Token, "")
	require.NoError(t, err, "nothing is left locked")
}

// interrupted is a MemoStore in which something happens while a token is being proved.
type interrupted struct{ meanwhile func() }

func (i interrupted) Get(context.Context, string) ([]byte, error) { i.meanwhile(); return nil, nil }
func (interrupted) Set(context.Context, string, []byte) error     { return nil }

// A call that revokes has returned when a lease is over, even if a proof that began before takes
// longer: the proof must not count.
func TestVerify_ChangeDuringProof_DiscardsIt(t *testing.T) {
	for name, meanwhile := range map[string]func(*testing.T, *process, Connection){
		"rotated": func(t *testing.T, p *process, c Connection) { p.rotate(t, c) },
		"paused":  func(t *testing.T, p *process, c Connection) { p.change(t, c, func(c *Connection) { c.State = Paused }) },
		"deleted": func(t *testing.T, p *process, c Connection) {
			p.log.topic.append(connectionKey(c.ID), nil)
			p.catchUp(t)
		},
		"cut off": func(_ *testing.T, p *process, _ Connection) { p.log.expire() },
	} {
		p := start(t, newTopic(), token.NewKey(), nil)
		created := p.create(t, CreateParams{})
		var once sync.Once
		p.verifier.shared = interrupted{func() { once.Do(func() { meanwhile(t, p, created.Connection) }) }}
		_, err := p.verify(created.Token, "")
		require.ErrorIs(t, err, ErrUnavailable, name)
	}
}

// An id can come back with another token, at generation 1 again.
func TestVerify_DeletedAndCreatedAgain_NeedsANewProof(t *testing.T) {
	memos := &sharedMemos{}
	p := start(t, newTopic(), token.NewKey(), memos)
	first := p.create(t, CreateParams{Token: p.key.Derive(anID, "first")})
	_, err := p.verify(first.Token, "")
	require.NoError(t, err)
	p.log.topic.append(connectionKey(anID), nil)
	p.catchUp(t)
	_, err = p.verify(first.Token, "")
	require.Equal(t, ErrInvalid, err)

	second := p.create(t, CreateParams{Token: p.key.Derive(anID, "second")})
	require.Equal(t, first.Connection.Generation, second.Connection.Generation)
	_, err = p.verify(first.Token, "")
	require.Equal(t, ErrInvalid, err)
	require.Zero(t, count(t, p.metrics.hitRedis))
	_, err = p.verify(second.Token, "")
	require.NoError(t, err)
}

// sharedMemos is a MemoStore in memory. It can lie, and fail.
type sharedMemos struct {
	mu    sync.Mutex
	memos map[string][]byte
	err   error
}

func (s *sharedMemos) Get(_ context.Context, id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memos[id], s.err
}

func (s *sharedMemos) Set(_ context.Context, id string, memo []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memos == nil {
		s.memos = map[string][]byte{}
	}
	s.memos[id] = memo
	return s.err
}

func TestProofCache_ForgedEntry_MatchesNothing(t *testing.T) {
	memos := &sharedMemos{}
	topic, key := newTopic(), token.NewKey()
	p := start(t, topic, key, memos)
	created, other := p.create(t, CreateParams{}), p.create(t, CreateParams{})
	for _, c := range []Created{created, other} {
		_, err := p.verify(c.Token, "")
		require.NoError(t, err)
	}
	id, honest := created.Connection.ID, memos.memos[created.Connection.ID]
	wrong := key.Mint(id)
	stranger := token.NewKey().ProofMAC(id, 1, []byte(wrong.Reveal()))
	for name, lie := range map[string][]byte{
		"nothing": nil, "empty": {}, "short": honest[:39], "long": append(honest[:40:40], 0), "zeros": make([]byte, 40),
		"for the right token": honest, "of another connection": memos.memos[other.Connection.ID],
		"of another key": append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, stranger[:]...),
	} {
		memos.memos[id] = lie
		edge := start(t, topic, key, memos)
		_, err := edge.verify(wrong, "")
		require.Equal(t, ErrInvalid, err, name)
		_, err = edge.verify(created.Token, "")
		require.NoError(t, err, name)
	}
}

func TestProofCache_Failing_ChangesNoAnswer(t *testing.T) {
	memos := &sharedMemos{err: errors.New("down")}
	p := start(t, newTopic(), token.NewKey(), memos)
	created := p.create(t, CreateParams{})
	_, err := p.verify(p.key.Mint(created.Connection.ID), "")
	require.Equal(t, ErrInvalid, err)
	_, err = p.verify(created.Token, "")
	require.NoError(t, err)
	require.Equal(t, 3, count(t, p.metrics.redisErrors))
}

// Slots are numbered by the first four bytes of the hash.
func TestRejections_AreBounded(t *testing.T) {
	var r rejections
	nth := func(i int) presented { return presented{mac: [32]byte{2: byte(i >> 8), 3: byte(i)}} }
	for i := range rejectionSlots {
		require.False(t, r.has(nth(i)))
		r.add(nth(i))
	}
	for i := range rejectionSlots {
		require.True(t, r.has(nth(i)))
	}
	require.False(t, r.has(nth(rejectionSlots)))
	r.add(nth(rejectionSlots))
	require.True(t, r.has(nth(rejectionSlots)))
	require.False(t, r.has(nth(0)), "the one whose slot it took")
	require.True(t, r.has(nth(1)), "all others stay")
}

func TestVerifyAllocatesNothingForKnownTokens(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{Secret: token.NewSecret("a secret")})
	text, secret, wrong := []byte(created.Token.Reveal()), []byte("a secret"), []byte("another secret")
	for _, c := range []struct {
		secret []byte
		want   error
	}{{secret, nil}, {wrong, ErrInvalid}, {nil, ErrInvalid}} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := p.verifier.Verify(context.Background(), text, c.secret); !errors.Is(err, c.want) {
				t.Fatal(err)
			}
		}))
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if p.registry.Get(text[4:20]) == nil {
			t.Fatal("unknown")
		}
	}))
}

func BenchmarkVerify(b *testing.B) {
	p := start(b, newTopic(), token.NewKey(), nil)
	created := p.create(b, CreateParams{})
	closed := p.create(b, CreateParams{Secret: token.NewSecret("a secret")})
	for name, c := range map[string]Created{"token": created, "token-and-secret": closed} {
		text, secret := []byte(c.Token.Reveal()), []byte("a secret")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.verifier.Verify(context.Background(), text, secret); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
