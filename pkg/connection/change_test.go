package connection

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

func TestConnection_StatesAndStatuses(t *testing.T) {
	ctx := context.Background()
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	id := created.Connection.ID
	for i, step := range []struct {
		change func(context.Context, string) (*Connection, error)
		want   State
	}{{p.store.Pause, Paused}, {p.store.Pause, Paused}, {p.store.Resume, Enabled}, {p.store.Disconnect, Disconnected}, {p.store.Resume, Enabled}} {
		c, err := step.change(ctx, id)
		require.NoError(t, err)
		require.Equal(t, step.want, c.State)
		require.Equal(t, uint64(2+i), c.Revision)
		require.Equal(t, uint64(1), c.Generation, "the token is the same, so its memo stays good")
		got, err := p.verify(created.Token, "")
		require.NoError(t, err)
		require.Equal(t, step.want, got.State)
	}
}

func TestConnection_SaltsChange_IsInForce(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{Salts: 4})
	require.Equal(t, 4, created.Connection.Salts)
	c, err := p.store.SetSalts(context.Background(), created.Connection.ID, 8)
	require.NoError(t, err)
	require.Equal(t, []int{8, 2, 1}, []int{c.Salts, int(c.Revision), int(c.Generation)}, "the token's memo stays good")
	got, err := p.verify(created.Token, "")
	require.NoError(t, err)
	require.Equal(t, 8, got.Salts)
	for _, n := range []int{0, -1, MaxSalts + 1} {
		var input *InputError
		_, err = p.store.SetSalts(context.Background(), created.Connection.ID, n)
		require.ErrorAs(t, err, &input)
	}
}

func TestRotate(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	_, err := p.verify(created.Token, "")
	require.NoError(t, err)
	rotated, err := p.store.Rotate(context.Background(), created.Connection.ID)
	require.NoError(t, err)
	require.Equal(t, uint64(2), rotated.Connection.Generation)
	require.NotEqual(t, created.Token.Reveal(), rotated.Token.Reveal())
	_, err = p.verify(created.Token, "")
	require.ErrorIs(t, err, ErrInvalid)
	_, err = p.verify(rotated.Token, "")
	require.NoError(t, err)
}

func TestSecrets(t *testing.T) {
	ctx := context.Background()
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	_, err := p.store.SetSecret(ctx, created.Connection.ID, token.NewSecret("7 chars"))
	var input *InputError
	require.ErrorAs(t, err, &input)
	for _, secret := range []string{"first secret", "second secret"} {
		_, err := p.store.SetSecret(ctx, created.Connection.ID, token.NewSecret(secret))
		require.NoError(t, err)
		for _, tried := range []string{"", "first secret", "second secret"} {
			_, err := p.verify(created.Token, tried)
			require.Equal(t, tried == secret, err == nil)
		}
	}
	c, err := p.store.ClearSecret(ctx, created.Connection.ID)
	require.NoError(t, err)
	require.Equal(t, uint64(4), c.Generation)
	_, err = p.verify(created.Token, "")
	require.NoError(t, err)
}

func TestDelete(t *testing.T) {
	ctx := context.Background()
	topic := newTopic()
	p := start(t, topic, token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	id := created.Connection.ID
	topic.append(activityKey(id), encodedActivity(t, 5, 6))
	require.NoError(t, p.store.Delete(ctx, id))
	_, err := p.verify(created.Token, "")
	require.ErrorIs(t, err, ErrInvalid)
	list, err := p.store.List(ctx)
	require.NoError(t, err)
	require.Empty(t, list)
	for _, key := range []string{connectionKey(id), activityKey(id)} {
		values := topic.values(key)
		require.Nil(t, values[len(values)-1], "compaction leaves nothing of %s", key)
	}
	require.ErrorIs(t, p.store.Delete(ctx, id), ErrNotFound)
}

func TestChange_UnknownConnection_IsNotFound(t *testing.T) {
	ctx := context.Background()
	p := start(t, newTopic(), token.NewKey(), nil)
	for _, id := range []string{"", "no id", token.NewConnectionID()} {
		_, err := p.store.Pause(ctx, id)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = p.store.Rotate(ctx, id)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = p.store.SetSecret(ctx, id, token.NewSecret("long enough"))
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorIs(t, p.store.Delete(ctx, id), ErrNotFound)
	}
	require.Zero(t, p.log.topic.length.Load())
}

// A pause that was decided on before a rotation must not bring the old token back: of two changes of one
// revision the first counts, for every reader.
func TestChange_OfAnOldRevision_IsSkipped(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	created := p.create(t, CreateParams{})
	late := created.Connection
	rotated, err := p.store.Rotate(context.Background(), late.ID)
	require.NoError(t, err)
	late.State, late.Revision = Paused, late.Revision+1
	require.NoError(t, p.store.put(context.Background(), &late))
	p.catchUp(t)
	_, err = p.verify(created.Token, "")
	require.ErrorIs(t, err, ErrInvalid)
	c, err := p.verify(rotated.Token, "")
	require.NoError(t, err)
	require.Equal(t, Enabled, c.State)
}

// An admin who crashes between a change that came second and making it again leaves the last record to what is not in
// force, and compaction would keep that one. Edges see to it that it is not the last.
func TestChange_InForce_SurvivesCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, key := newTopic(), token.NewKey()
		edges := []*process{start(t, topic, key, nil), start(t, topic, key, nil)}
		for _, edge := range edges {
			defer edge.record(t)()
		}
		created := edges[0].create(t, CreateParams{})
		id := created.Connection.ID
		rotated, err := edges[0].store.Rotate(t.Context(), id)
		require.NoError(t, err)
		late := created.Connection
		late.State, late.Revision = Paused, late.Revision+1
		require.NoError(t, edges[0].store.put(t.Context(), &late)) // and it crashes

		compacted := func() *process {
			values, kept := topic.values(connectionKey(id)), newTopic()
			kept.append(connectionKey(id), values[len(values)-1])
			return start(t, kept, key, nil)
		}
		_, err = compacted().verify(created.Token, "")
		require.NoError(t, err, "the control: the token that was rotated away would be good again")
		time.Sleep(ActivityInterval)
		synctest.Wait()
		_, err = compacted().verify(created.Token, "")
		require.ErrorIs(t, err, ErrInvalid)
		c, err := compacted().verify(rotated.Token, "")
		require.NoError(t, err)
		require.Equal(t, Enabled, c.State)
		length := topic.length.Load()
		time.Sleep(10 * ActivityInterval)
		require.Equal(t, length, topic.length.Load(), "and then they rest, though both have written it")
		_, err = edges[1].store.Pause(t.Context(), id)
		require.NoError(t, err)
	})
}

// Admins who work on one connection at the same time all get what they asked for.
func TestChange_Concurrent_AllAreApplied(t *testing.T) {
	ctx := context.Background()
	topic, key := newTopic(), token.NewKey()
	p := start(t, topic, key, nil)
	created := p.create(t, CreateParams{})
	id := created.Connection.ID
	changes := make(chan error)
	rotated := make(chan Created, 1)
	go func() {
		r, err := start(t, topic, key, nil).store.Rotate(ctx, id)
		rotated <- r
		changes <- err
	}()
	go func() {
		_, err := start(t, topic, key, nil).store.Pause(ctx, id)
		changes <- err
	}()
	go func() {
		_, err := start(t, topic, key, nil).store.SetSecret(ctx, id, token.NewSecret("a new secret"))
		changes <- err
	}()
	for range 3 {
		require.NoError(t, <-changes)
	}
	p.catchUp(t)
	c, err := p.verify((<-rotated).Token, "a new secret")
	require.NoError(t, err)
	require.Equal(t, Paused, c.State)
}

func TestChange_ReturnsWhenInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		created := p.create(t, CreateParams{})
		store := NewStore(StoreConfig{Key: p.key, Log: p.log, Registry: p.registry, Cost: cheap})
		for _, change := range []func() error{
			func() error { _, err := store.Pause(t.Context(), created.Connection.ID); return err },
			func() error { _, err := store.Rotate(t.Context(), created.Connection.ID); return err },
			func() error { return store.Delete(t.Context(), created.Connection.ID) },
		} {
			begin := time.Now()
			require.NoError(t, change())
			require.GreaterOrEqual(t, time.Since(begin), DefaultSettle)
			require.Less(t, time.Since(begin), DefaultSettle+100*time.Millisecond)
		}
	})
}
