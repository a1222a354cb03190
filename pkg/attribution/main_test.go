package attribution

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

// settling is long enough for what a test inserts, and shorter than what a production's inserts may take.
const settling = 6 * time.Second

const topic = "ingest"

// world is a database, and the number of partitions that products are in.
type world struct {
	db         env.Database
	partitions int32
	config     Config
	warehouse  warehouse.Config
}

func newWorld(t testing.TB, partitions int32) *world {
	t.Helper()
	w := &world{db: env.ClickHouse(t), partitions: partitions}
	require.NoError(t, kong.ApplyDefaults(&w.warehouse))
	w.warehouse.VisibilityDelay = settling
	w.warehouse.ClickHouse, w.warehouse.Database = w.db.Addr(), w.db.Name
	w.config = Config{Enabled: true, Topic: topic, Group: "loaders", IdentityCache: 100_000, WriteTimeout: w.warehouse.Timeout}
	_, err := warehouse.Migrate(t.Context(), w.warehouse)
	require.NoError(t, err)
	return w
}

func partition(id int32) stream.Partition { return stream.Partition{Topic: topic, ID: id} }

// host is a loader that no partition is taken from, unless confirm says so.
type host struct {
	partitions int32
	confirm    func() error
	log        *slog.Logger
}

func (h *host) IngestPartitions(context.Context) (int32, error) { return h.partitions, nil }

func (h *host) Confirm(context.Context, []stream.Partition) error { return h.confirm() }

func (h *host) Retry(ctx context.Context, _ stream.Partition, _ string, try func(context.Context) error) error {
	return try(ctx)
}

func (h *host) Retrying(operation string, err error) {
	h.log.Warn("retrying", "operation", operation, "error", err)
}

// running is a service under test, in which nothing happens in the background.
type running struct {
	*Service
	host *host
}

func (w *world) service(t *testing.T) *running {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	lookup, err := warehouse.NewLookup(w.warehouse)
	require.NoError(t, err)
	t.Cleanup(lookup.Close)
	h := &host{partitions: w.partitions, confirm: func() error { return nil }, log: log}
	products := warehouse.NewProducts()
	products.Append([]byte("w"), []byte("p"), 0)
	require.NoError(t, lookup.Insert(t.Context(), products))
	return &running{New(w.config, Deps{Host: h, Lookup: lookup, Log: log, Metrics: prometheus.NewRegistry()}), h}
}

func (r *running) assign(t *testing.T, id int32) {
	r.PartitionsAssigned([]stream.Partition{partition(id)})
	t.Cleanup(func() { r.PartitionsRevoked([]stream.Partition{partition(id)}) })
}

// forLong makes r the owner of its partitions for long: nothing is to be gone back for, and what was written since a time
// is to be heard yet.
func (r *running) forLong(t *testing.T, since time.Time) {
	require.NoError(t, r.learn(t.Context()))
	r.taken, r.caughtUp, r.learntTo, r.polled = time.Time{}, since, since, time.Time{}
}

// workOff learns, and works in whatever there is, rests or not.
func (a *Service) workOff(ctx context.Context) error {
	if err := a.learn(ctx); err != nil {
		return err
	}
	for {
		desks, _ := a.pick(time.Now().Add(time.Hour))
		if len(desks) == 0 {
			return nil
		}
		if err := a.pass(ctx, desks); err != nil {
			return err
		}
	}
}

// passes works changes in for some time.
func (r *running) passes(t *testing.T, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		require.NoError(t, r.workOff(t.Context()))
	}
}

// message is one that a partition has, of product p.
type message struct {
	kind         stream.Kind
	id           string
	user, email  string
	conversation string
	at           time.Time
}

var noon = time.Date(2026, 5, 18, 12, 0, 0, 0, time.UTC)

func event(id, user, email string, at time.Duration) message {
	return message{kind: stream.KindEvent, id: id, user: user, email: email, at: noon.Add(at)}
}

func identify(user, email string, at time.Duration) message {
	return message{kind: stream.KindIdentify, user: user, email: email, at: noon.Add(at)}
}

func activity(conversation, user, email string, at time.Duration) message {
	return message{kind: stream.KindConversation, conversation: conversation, user: user, email: email, at: noon.Add(at)}
}

func (m *message) appendTo(b *Batch, offset int) {
	at, received := m.at.UnixMilli(), noon.Add(time.Hour).UnixMicro()+int64(offset)
	if m.kind == stream.KindEvent {
		b.Events.Append(&mapping.Event{InsertID: []byte("api:" + m.id), EventType: []byte("upgrade"), EventAt: at,
			ExternalUserID: present(m.user), UserEmail: present(m.email), ExternalConversationID: present(m.conversation), Properties: []byte("{}"),
		}, &warehouse.Origin{Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("api"),
			ReceivedAt: received, Topic: topic, Partition: b.Partition.ID, Offset: int64(offset)})
		return
	}
	o := Observation{Claim: identity.EmptyClaim}
	o.Claim.Workspace, o.Claim.ExternalID, o.Claim.Email = []byte("w"), present(m.user), present(m.email)
	o.Claim.Explicit = identity.Timestamped{At: at, Text: []byte("identify")}
	if m.kind == stream.KindConversation {
		o.Activity = warehouse.Activity{Workspace: []byte("w"), Product: []byte("p"), ExternalConversationID: []byte(m.conversation),
			ExternalUserID: o.Claim.ExternalID, Email: o.Claim.Email, At: at, Properties: []byte("{}"), ReceivedAt: received,
			Version: warehouse.Version(received), ConversationID: identity.ConversationID([]byte("p"), []byte(m.conversation))}
	}
	b.Observations = append(b.Observations, o)
}

// begin takes messages of a partition as far as learning from them.
func (r *running) begin(t *testing.T, id int32, messages ...message) *boarding {
	b := &Batch{Partition: partition(id), Events: warehouse.NewEvents()}
	for i := range messages {
		messages[i].appendTo(b, i)
	}
	boarding := r.Service.begin(b)
	boarding.board()
	require.NoError(t, boarding.lookUp(t.Context()))
	boarding.learn()
	return boarding
}

// store takes a batch the rest of the way.
func (b *boarding) store(t *testing.T) {
	require.NoError(t, b.write(t.Context()))
	require.NoError(t, b.converse(t.Context()))
	if b.Events.Rows() > 0 {
		require.NoError(t, b.a.lookup.Inserter().Insert(t.Context(), b.Events, fmt.Sprint(time.Now())))
	}
	b.a.Complete(b.Batch)
}

// claims writes claims of events as another loader does: rows of ('user', 'address', 'user id', at).
func (w *world) claims(t *testing.T, written, rows string) {
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first, name_first, name_last, writer, written_at)
		SELECT 'w', c1, c2, toUUID(c3), (9223372036854775807, ''), (c4, 'api'), (9223372036854775807, ''), (-9223372036854775808, ''), 99,
			now64(6) - INTERVAL `+written+` FROM VALUES(`+rows+`)`)
}

// attributed reads whom each event is about: names for the ids of users and conversations, "-" for none.
func (w *world) attributed(t testing.TB) map[string]string {
	t.Helper()
	got := map[string]string{}
	rows := w.db.Exec(t, `SELECT substring(insert_id, 5), ifNull(toString(user_id), '-'), ifNull(toString(conversation_id), '-') FROM outcomes`)
	for line := range strings.Lines(rows) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		got[f[0]] = named(f[1]) + " " + named(f[2])
	}
	return got
}

// named turns ids of the few names that tests use back into them.
func named(id string) string {
	if name, ok := names()[id]; ok {
		return name
	}
	return id
}

var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for i := range 40 {
		user, address, conversation := fmt.Sprintf("u%d", i), fmt.Sprintf("%d@x.io", i), fmt.Sprintf("c%d", i)
		all[identity.UserID([]byte("w"), []byte(user)).String()] = user
		all[identity.AddressID([]byte("w"), []byte(address)).String()] = address
		all[identity.ConversationID([]byte("p"), []byte(conversation)).String()] = conversation
	}
	return all
})

func eventually(t testing.TB, met func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "never: "+what)
	}
}
