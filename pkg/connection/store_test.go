package connection

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/token"
)

func TestCreate(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	before := time.Now().Truncate(time.Millisecond)
	created := p.create(t, CreateParams{ProductID: "p", Name: "Shop", Note: "é", Secret: token.NewSecret("a secret")})
	id, ok := p.key.Parse([]byte(created.Token.Reveal()))
	require.True(t, ok)
	c := created.Connection
	require.Equal(t, string(id), c.ID)
	require.Equal(t, []string{"default", "p", "Shop", "é", "enabled"}, []string{c.WorkspaceID, c.ProductID, c.Name, c.Note, string(c.State)})
	require.Equal(t, uint64(1), c.Generation)
	require.Equal(t, 1, c.Salts)
	require.Equal(t, c.CreatedAt, c.UpdatedAt)
	require.Equal(t, time.UTC, c.CreatedAt.Location())
	require.False(t, c.CreatedAt.Before(before))
	for text, hash := range map[string]token.Secret{created.Token.Reveal(): c.TokenHash, "a secret": c.SecretHash} {
		ok, err := token.Verify(hash, []byte(text))
		require.NoError(t, err)
		require.True(t, ok)
	}
	got, err := p.store.Get(context.Background(), c.ID)
	require.NoError(t, err)
	require.Equal(t, c, *got)
	none, err := p.store.Get(context.Background(), token.NewConnectionID())
	require.NoError(t, err)
	require.Nil(t, none)
}

func TestCreateHashesAtTheDefaultCost(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	store := NewStore(StoreConfig{Key: p.key, Log: p.log, Registry: p.registry, Settle: 1})
	created, err := store.Create(context.Background(), CreateParams{ProductID: "p"})
	require.NoError(t, err)
	require.Contains(t, created.Connection.TokenHash.Reveal(), "$ln=15,r=8,p=1$")
	require.True(t, created.Connection.SecretHash.IsZero())
}

func TestCreateTakesADerivedToken(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	demo := p.key.Derive(anID, "demo")
	created := p.create(t, CreateParams{Token: demo})
	require.Equal(t, anID, created.Connection.ID)
	got, err := p.verify(p.key.Derive(anID, "demo"), "")
	require.NoError(t, err)
	require.Equal(t, anID, got.ID)

	_, err = p.store.Create(context.Background(), CreateParams{ProductID: "p", Token: demo})
	require.ErrorIs(t, err, ErrExists)
	var input *InputError
	_, err = p.store.Create(context.Background(), CreateParams{ProductID: "p", Token: token.NewKey().Mint(anID)})
	require.ErrorAs(t, err, &input)
	require.Equal(t, "token", input.Field)
}

func TestCreateRefusesInput(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	long := strings.Repeat("é", 101) // 202 bytes
	for want, params := range map[string]CreateParams{
		"the product id must not be empty":                       {},
		"the product id must not be longer than 200 bytes":       {ProductID: long},
		"the product id must consist of printable characters":    {ProductID: "canary\n"},
		"the workspace id must consist of printable characters":  {ProductID: "p", WorkspaceID: "\xffcanary"},
		"the workspace id must not be longer than 200 bytes":     {ProductID: "p", WorkspaceID: long},
		"the name must not be longer than 200 bytes":             {ProductID: "p", Name: long},
		"the name must consist of printable characters":          {ProductID: "p", Name: "canary\x00"},
		"the number of salts must be from 1 to 256":              {ProductID: "p", Salts: 257},
		"the note must not be longer than 2000 bytes":            {ProductID: "p", Note: strings.Repeat("n", 2001)},
		"the shared secret must have at least 8 characters":      {ProductID: "p", Secret: token.NewSecret("cänäry7")},
		"the shared secret must not be longer than 256 bytes":    {ProductID: "p", Secret: token.NewSecret(strings.Repeat("s", 257))},
		"the shared secret must consist of printable characters": {ProductID: "p", Secret: token.NewSecret("canary\tcanary")},
		"the shared secret must not begin or end with a space":   {ProductID: "p", Secret: token.NewSecret("canary canary ")},
	} {
		_, err := p.store.Create(context.Background(), params)
		var input *InputError
		require.ErrorAs(t, err, &input)
		require.Equal(t, want, err.Error())
	}
	require.Zero(t, p.log.topic.length.Load(), "nothing was written")
	for _, params := range []CreateParams{
		{ProductID: strings.Repeat("é", 100), WorkspaceID: "Größe 9"},
		{ProductID: "p", Secret: token.NewSecret("8 chärs!")},
		{ProductID: "p", Secret: token.NewSecret(strings.Repeat("s", MaxSecretBytes))},
	} {
		created := p.create(t, params)
		_, err := p.verify(created.Token, params.Secret.Reveal())
		require.NoError(t, err)
	}
}

func TestCreateReturnsWhenItIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, newTopic(), token.NewKey(), nil)
		store := NewStore(StoreConfig{Key: p.key, Log: p.log, Registry: p.registry, Cost: cheap})
		begin := time.Now()
		_, err := store.Create(t.Context(), CreateParams{ProductID: "p"})
		require.NoError(t, err)
		require.InDelta(t, DefaultSettle, time.Since(begin), float64(time.Millisecond))

		ctx, cancel := context.WithTimeout(t.Context(), Lease/2)
		defer cancel()
		created, err := store.Create(ctx, CreateParams{ProductID: "p"})
		require.NoError(t, err, "the token is not lost for want of patience")
		require.False(t, created.Token.IsZero())
		require.ErrorIs(t, store.settle(ctx, time.Now()), context.DeadlineExceeded)
	})
}

func TestStoreReportsALogThatFails(t *testing.T) {
	p := start(t, newTopic(), token.NewKey(), nil)
	p.log.broken.Store(true)
	_, err := p.store.Create(context.Background(), CreateParams{ProductID: "p"})
	require.ErrorContains(t, err, "no broker")

	p.log.cutOff.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.store.List(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = p.store.Get(ctx, anID)
	require.ErrorIs(t, err, context.Canceled)
	_, err = p.store.Create(ctx, CreateParams{ProductID: "p", Token: p.key.Mint(anID)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestListSeesWhatOthersWrote(t *testing.T) {
	topic, key := newTopic(), token.NewKey()
	p, other := start(t, topic, key, nil), start(t, topic, key, nil)
	none, err := p.store.List(context.Background())
	require.NoError(t, err)
	require.Empty(t, none)
	var ids []string
	base := time.Date(2026, 5, 18, 12, 0, 0, 0, time.UTC)
	for i, at := range []int{3, 1, 2} {
		c := other.create(t, CreateParams{Name: fmt.Sprint(at)}).Connection
		other.change(t, c, func(c *Connection) {
			c.CreatedAt = base.Add(time.Duration(at) * time.Second)
			c.State = []State{Enabled, Enabled, Paused}[i]
		})
		ids = append(ids, c.ID)
	}
	deleted := other.create(t, CreateParams{}).Connection.ID
	topic.append(activityKey(ids[0]), encodedActivity(t, 5, 6))
	topic.append(activityKey(deleted), encodedActivity(t, 5, 6))
	topic.append(connectionKey(deleted), nil)

	list, err := p.store.List(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 3)
	for i, want := range []struct {
		name   string
		status Status
	}{{"1", StatusWaiting}, {"2", StatusPaused}, {"3", StatusActive}} {
		require.Equal(t, want.name, list[i].Name)
		require.Equal(t, want.status, list[i].Status)
		found, err := p.store.Find(context.Background(), list[i].ID)
		require.NoError(t, err)
		require.Equal(t, list[i], found)
	}
	_, err = p.store.Find(context.Background(), deleted)
	require.ErrorIs(t, err, ErrNotFound)
	require.Equal(t, activityBetween(5, 6), list[2].Activity)
	b, err := json.Marshal(list[2])
	require.NoError(t, err)
	require.Contains(t, string(b), `"status":"active"`)
	require.Contains(t, string(b), `"first_event_at":"1970-01-01T00:00:00.005Z"`)
	b, err = json.Marshal(list[0])
	require.NoError(t, err)
	require.NotContains(t, string(b), "first_event_at")
}

// Whatever holds a token, a secret or a hash is printed in every way a careless line could.
func TestSecrets_AreNeverPrinted(t *testing.T) {
	ctx := context.Background()
	reg := prometheus.NewRegistry()
	p := start(t, newTopic(), token.NewKey(), &sharedMemos{err: fmt.Errorf("down")})
	p.registry.metrics = NewMetrics(reg)
	secret := "canary secret"
	params := CreateParams{ProductID: "p", Secret: token.NewSecret(secret), Token: p.key.Derive(anID, "x")}
	created := p.create(t, params)
	listed, err := p.store.List(ctx)
	require.NoError(t, err)
	var errs []error
	for _, s := range []string{"", "canary wrong", strings.Repeat("canary", 100)} {
		_, err := p.verify(created.Token, s)
		errs = append(errs, err)
	}
	_, err = p.store.Create(ctx, params)
	errs = append(errs, err)
	p.log.broken.Store(true)
	_, err = p.store.Create(ctx, CreateParams{ProductID: "p", Secret: params.Secret})
	errs = append(errs, err)
	_, err = decodeConnection(anID, []byte(`{"id":"`+anID+`","token_hash":"canary"}`))
	errs = append(errs, err)
	p.log.expire()
	_, err = p.verify(created.Token, secret)
	errs = append(errs, err)

	var out bytes.Buffer
	type inside struct{ hidden any }
	for _, value := range []any{created, &created, params, listed, created.Connection, errs, p.store, *p.store, p.store.config, p.verifier, p.registry, get(&p.registry.index, anID)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
			fmt.Fprintf(&out, verb+"\n", inside{value})
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
	}
	for _, err := range errs {
		require.Error(t, err)
		fmt.Fprintln(&out, err)
	}
	families, err := reg.Gather()
	require.NoError(t, err)
	fmt.Fprintln(&out, families)

	text := out.String()
	require.Contains(t, text, "[redacted]")
	for _, leak := range []string{
		"canary", fmt.Sprintf("%x", "canary"), fmt.Sprintf("%X", "canary"), "mr1_", fmt.Sprintf("%x", "mr1_"), p.key.Text(),
		"scrypt$", created.Token.Reveal()[22:54], created.Connection.TokenHash.Reveal()[30:], created.Connection.SecretHash.Reveal()[30:],
	} {
		require.False(t, strings.Contains(text, leak), leak)
	}
}
