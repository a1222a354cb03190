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

// visibilityDelay is longer than any insert of these tests takes, and shorter than the default.
const visibilityDelay = 6 * time.Second

const topic = "ingest"

// world is a database and a topic without a broker.
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
	w.warehouse.VisibilityDelay = visibilityDelay
	w.warehouse.ClickHouse, w.warehouse.Database = w.db.Addr(), w.db.Name
	w.config = Config{
		Enabled: true, Topic: topic, Group: "loaders", IdentityCache: 100_000, WriteTimeout: w.warehouse.Timeout,
	}
	_, err := warehouse.Migrate(t.Context(), w.warehouse)
	require.NoError(t, err)
	return w
}

func partition(id int32) stream.Partition { return stream.Partition{Topic: topic, ID: id} }

// testHost is a loader. confirm decides about its ownership.
type testHost struct {
	partitions int32
	confirm    func() error
	beforePass func() // may be nil
	log        *slog.Logger
}

func (h *testHost) IngestPartitions(context.Context) (int32, error) {
	if h.beforePass != nil {
		h.beforePass()
	}
	return h.partitions, nil
}

func (h *testHost) Confirm(context.Context, []stream.Partition) error { return h.confirm() }

func (h *testHost) Retry(ctx context.Context, _ stream.Partition, _ string, try func(context.Context) error) error {
	return try(ctx)
}

func (h *testHost) Retrying(operation string, err error) {
	h.log.Warn("retrying", "operation", operation, "error", err)
}

// testService is a service without background work.
type testService struct {
	*Service
	host     *testHost
	registry *prometheus.Registry
}

func (w *world) service(t *testing.T) *testService {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	lookup, err := warehouse.NewLookup(w.warehouse)
	require.NoError(t, err)
	t.Cleanup(lookup.Close)
	h := &testHost{partitions: w.partitions, confirm: func() error { return nil }, log: log}
	products := warehouse.NewProducts()
	products.Append([]byte("w"), []byte("p"), 0)
	_, err = lookup.Insert(t.Context(), products)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	return &testService{New(w.config, Deps{Host: h, Lookup: lookup, Log: log, Metrics: registry}), h, registry}
}

func (r *testService) assign(t *testing.T, id int32) {
	r.PartitionsAssigned([]stream.Partition{partition(id)})
	t.Cleanup(func() { r.PartitionsRevoked([]stream.Partition{partition(id)}) })
}

// settleOwnership makes r the owner of its partitions for long: no predecessor can revise rows, and changes since a
// time are not pulled yet.
func (r *testService) settleOwnership(t *testing.T, since time.Time) {
	require.NoError(t, r.pull(t.Context()))
	r.assignedAt, r.replayUntil, r.pulledUntil, r.pulledAt = time.Time{}, since, since, time.Time{}
}

// applyAll pulls changes and applies all that are queued, without regard to retryAt.
func (a *Service) applyAll(ctx context.Context) error {
	if err := a.pull(ctx); err != nil {
		return err
	}
	return a.runQueued(ctx)
}

func (a *Service) runQueued(ctx context.Context) error {
	for {
		queues, _ := a.nextPass(time.Now().Add(time.Hour))
		if len(queues) == 0 {
			return nil
		}
		if err := a.runPass(ctx, queues); err != nil {
			return err
		}
	}
}

// passes applies changes for some time.
func (r *testService) passes(t *testing.T, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		require.NoError(t, r.applyAll(t.Context()))
	}
}

// message is of workspace w and product p.
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
	m := identify(user, email, at)
	m.kind, m.conversation = stream.KindConversation, conversation
	return m
}

func (m *message) appendTo(b *Batch, offset int) {
	at, received := m.at.UnixMilli(), noon.Add(time.Hour).UnixMicro()+int64(offset)
	if m.kind == stream.KindEvent {
		b.Events.Append(&mapping.Event{
			InsertID: []byte("api:" + m.id), EventType: []byte("upgrade"), EventAt: at, Properties: []byte("{}"),
			ExternalUserID: orNil(m.user), UserEmail: orNil(m.email), ExternalConversationID: orNil(m.conversation),
		}, &warehouse.Origin{
			Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("api"),
			ReceivedAt: received, Topic: topic, Partition: b.Partition.ID, Offset: int64(offset),
		})
		return
	}
	o := Observation{Claim: identity.EmptyClaim}
	o.Claim.Workspace, o.Claim.ExternalID, o.Claim.Email = []byte("w"), orNil(m.user), orNil(m.email)
	o.Claim.Explicit = identity.Timestamped{At: at, Text: []byte("identify")}
	if m.kind == stream.KindConversation {
		o.Activity = warehouse.Activity{
			Workspace: []byte("w"), Product: []byte("p"), ExternalConversationID: []byte(m.conversation),
			ConversationID: identity.ConversationID([]byte("p"), []byte(m.conversation)),
			ExternalUserID: o.Claim.ExternalID, Email: o.Claim.Email, At: at, Properties: []byte("{}"),
			ReceivedAt: received, Version: warehouse.Version(received),
		}
	}
	b.Observations = append(b.Observations, o)
}

// begin resolves the users of messages, and stops before their claims are written.
func (r *testService) begin(t *testing.T, id int32, messages ...message) *resolution {
	b := &Batch{Partition: partition(id), Events: warehouse.NewEvents()}
	for i := range messages {
		messages[i].appendTo(b, i)
	}
	resolved := r.newResolution(b)
	resolved.addEntities()
	require.NoError(t, resolved.lookUp(t.Context()))
	resolved.observe()
	return resolved
}

// store writes the claims and the events of a batch and completes it.
func (b *resolution) store(t *testing.T) {
	require.NoError(t, b.writeClaims(t.Context()))
	require.NoError(t, b.resolveConversations(t.Context()))
	if b.Events.Rows() > 0 {
		require.NoError(t, b.service.lookup.Inserter().Insert(t.Context(), b.Events, fmt.Sprint(time.Now())))
	}
	b.service.Complete(b.Batch)
}

// claims writes claims of events as another loader would: rows of ('user', 'address', 'user id', at).
func (w *world) claims(t *testing.T, written, rows string) {
	w.db.Exec(t, `INSERT INTO user_claims (workspace_id, external_user_id, email, user_id, explicit_first, event_first,
			name_first, name_last, writer, written_at)
		SELECT 'w', c1, c2, toUUID(c3), (9223372036854775807, ''), (c4, 'api'),
			(9223372036854775807, ''), (-9223372036854775808, ''), 99,
			now64(6) - INTERVAL `+written+` FROM VALUES(`+rows+`)`)
}

// attributed returns "user conversation" by event: names instead of ids, "-" for null.
func (w *world) attributed(t testing.TB) map[string]string {
	t.Helper()
	got := map[string]string{}
	rows := w.db.Exec(t, `SELECT substring(insert_id, 5), ifNull(toString(user_id), '-'),
		ifNull(toString(conversation_id), '-') FROM outcomes`)
	for line := range strings.Lines(rows) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		got[f[0]] = named(f[1]) + " " + named(f[2])
	}
	return got
}

// named returns the name of an id, or the id if no test uses its name.
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
		all[userID(user).String()] = user
		all[identity.AddressID([]byte("w"), []byte(address)).String()] = address
		all[identity.ConversationID([]byte("p"), []byte(conversation)).String()] = conversation
	}
	return all
})

func userID(externalID string) identity.ID { return identity.UserID([]byte("w"), []byte(externalID)) }

func eventually(t testing.TB, met func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "never: "+what)
	}
}
