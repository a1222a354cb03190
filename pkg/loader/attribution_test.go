package loader

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/stream"
)

// testMessage is a message of the API.
type testMessage struct {
	kind         stream.Kind
	workspace    string
	product      string
	id           string // insert id of an event
	user, email  string
	conversation string
	organization string
	at           time.Time
}

var noon = time.Date(2026, 5, 18, 12, 0, 0, 0, time.UTC)

func (s *testMessage) json(t testing.TB) []byte {
	fields := map[string]any{}
	set := func(name, value string) {
		if value != "" {
			fields[name] = value
		}
	}
	set("externalUserId", s.user)
	at := s.at.Format("2006-01-02T15:04:05.000Z")
	switch s.kind {
	case stream.KindEvent:
		set("insertId", s.id)
		set("eventType", "Upgrade")
		set("eventAt", at)
		set("externalOrganizationId", s.organization)
		set("externalConversationId", s.conversation)
		if s.email != "" {
			fields["userHints"] = map[string]string{"email": s.email, "name": "name of " + s.id}
		}
	case stream.KindIdentify:
		set("email", s.email)
		set("name", "N "+s.user+s.email)
		set("timestamp", at)
		set("externalOrganizationId", s.organization)
	case stream.KindConversation:
		set("externalConversationId", s.conversation)
		set("email", s.email)
		set("timestamp", at)
	}
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return b
}

// send writes messages to the topic as the edge does, each received a microsecond after the one before.
func (w *world) send(t testing.TB, messages ...testMessage) {
	t.Helper()
	var config stream.ProducerConfig
	require.NoError(t, kong.ApplyDefaults(&config))
	p, err := w.client.NewProducer("say", config)
	require.NoError(t, err)
	defer p.Close(context.Background())
	out := p.NewRequest(len(messages), nil)
	for i := range messages {
		m := &messages[i]
		source := &stream.Source{Workspace: m.workspace, Product: m.product, Connection: "c", Provider: "api"}
		out.AddMessage(m.kind, source, noon.Add(time.Hour).UnixMicro()+int64(i), m.json(t), nil)
		out.SetSalt(crc32.ChecksumIEEE([]byte(cmp.Or(m.user, m.email, m.id, m.conversation))), max(w.salts, 1))
	}
	require.NoError(t, out.Send(t.Context()))
}

func newEvent(id, user, email string, at time.Duration) testMessage {
	return testMessage{kind: stream.KindEvent, workspace: "w", product: "p", id: id, user: user, email: email, at: noon.Add(at)}
}

func newIdentify(user, email string, at time.Duration) testMessage {
	return testMessage{kind: stream.KindIdentify, workspace: "w", product: "p", user: user, email: email, at: noon.Add(at)}
}

func newActivity(conversation, user, email string, at time.Duration) testMessage {
	return testMessage{kind: stream.KindConversation, workspace: "w", product: "p", conversation: conversation, user: user, email: email, at: noon.Add(at)}
}

// awaitAttributed waits until each event has the wanted "user conversation", by insert id.
func (w *world) awaitAttributed(t testing.TB, want map[string]string) {
	t.Helper()
	got := w.attributed(t)
	for deadline := time.Now().Add(2 * time.Minute); !maps.Equal(got, want) && time.Now().Before(deadline); got = w.attributed(t) {
		time.Sleep(20 * time.Millisecond)
	}
	require.Equal(t, want, got)
}

// attributed returns "user conversation" by event: names instead of ids, "-" for null.
func (w *world) attributed(t testing.TB) map[string]string {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(w.db.Exec(t, `SELECT substring(insert_id, 5), ifNull(toString(user_id), '-'), ifNull(toString(conversation_id), '-') FROM outcomes`)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		got[f[0]] = w.nameOf(f[1]) + " " + w.nameOf(f[2])
	}
	return got
}

// nameOf returns the name of an id, or the id if no test uses its name.
func (w *world) nameOf(id string) string {
	if name, ok := names()[id]; ok {
		return name
	}
	return id
}

var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for i := range 40 {
		for _, name := range []string{fmt.Sprintf("u%d", i), fmt.Sprintf("%d@x.io", i), fmt.Sprintf("c%d", i)} {
			for _, workspace := range []string{"w", "w2"} {
				called := strings.TrimPrefix(workspace, "w") + name
				all[identity.UserID([]byte(workspace), []byte(name)).String()] = called
				all[identity.AddressID([]byte(workspace), []byte(name)).String()] = called
			}
			for _, product := range []string{"p", "p2", "p3"} {
				all[identity.ConversationID([]byte(product), []byte(name)).String()] = strings.TrimPrefix(product, "p") + name
			}
		}
	}
	return all
})

func TestLoader_Users_AreFoundByExternalIDThenAddress(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 2)
	w.load(t)
	w.send(t,
		newIdentify("u1", "1@x.io", 0),
		newEvent("by id", "u1", "", 0),
		newEvent("by address", "", "1@X.io", 0),
		newEvent("by address, with an unknown id", "u2", "1@x.io", 0),
		newEvent("by id, with another address", "u1", "3@x.io", 0),
		newEvent("created by address", "", "4@x.io", 0),
		newEvent("created with an id", "u5", "5@x.io", 0),
		newEvent("found by the created id", "u5", "", time.Hour),
		newEvent("unknown", "u6", "", 0),
		newEvent("no id", "", "", 0),
	)
	w.awaitAttributed(t, map[string]string{
		"by id": "u1 -", "by address": "u1 -", "by address, with an unknown id": "u1 -", "by id, with another address": "u1 -",
		"created by address": "4@x.io -", "created with an id": "u5 -", "found by the created id": "u5 -", "unknown": "- -", "no id": "- -",
	})
	require.Equal(t, "4@x.io\tanalytics\tapi\nu1\tidentify\tapi\nu5\tanalytics\tapi",
		w.db.Exec(t, "SELECT ifNull(external_user_id, email) AS who, created_from, source FROM users ORDER BY who"))
}

func TestLoader_LateIdentify_RevisesStoredEvents(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 2)
	w.load(t)
	w.send(t, newEvent("a", "u1", "", 0), newEvent("b", "", "1@x.io", 0), newEvent("c", "u2", "1@x.io", 0), newEvent("d", "u2", "", 0))
	w.awaitAttributed(t, map[string]string{"a": "- -", "b": "u2 -", "c": "u2 -", "d": "u2 -"})
	w.send(t, newIdentify("u1", "1@x.io", 0))
	w.awaitAttributed(t, map[string]string{"a": "u1 -", "b": "u1 -", "c": "u1 -", "d": "- -"})
	require.Equal(t, "u1", w.db.Exec(t, "SELECT external_user_id FROM users"))
	w.send(t, newActivity("c1", "", "1@x.io", -time.Minute))
	w.awaitAttributed(t, map[string]string{"a": "u1 c1", "b": "u1 c1", "c": "u1 c1", "d": "- -"})
}

func TestLoader_IdentifyOfCreatedUser_KeepsItsOrigin(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	w.load(t)
	w.send(t, newEvent("a", "u1", "1@x.io", 0))
	w.awaitAttributed(t, map[string]string{"a": "u1 -"})
	const users = "SELECT created_from, source, JSONExtractString(properties, 'created_from'), JSONExtractString(properties, 'source'), email, name FROM users"
	require.Equal(t, "analytics\tapi\tanalytics\tapi\t1@x.io\tname of a", w.db.Exec(t, users))
	w.send(t, newIdentify("u1", "2@x.io", time.Minute))
	eventually(t, func() bool { return w.db.Exec(t, users) == "analytics\tapi\tanalytics\tapi\t2@x.io\tN u12@x.io" }, "the row is reused")
}

func TestLoader_LookBack_IncludesBothEnds(t *testing.T) {
	kfakeOnly(t)
	w := newWorld(t, 1)
	w.load(t)
	w.send(t, newActivity("c1", "u1", "", 0), newActivity("c2", "u1", "", time.Minute), newActivity("c3", "u2", "", 0),
		newEvent("same time", "u1", "", 0),
		newEvent("before", "u1", "", -time.Millisecond),
		newEvent("the latest", "u1", "", 2*time.Minute),
		newEvent("15 minutes", "u1", "", 16*time.Minute),
		newEvent("a millisecond more", "u1", "", 16*time.Minute+time.Millisecond),
		newEvent("another user", "u2", "", 15*time.Minute),
	)
	named := newEvent("named", "u1", "", time.Minute)
	named.conversation = "c3"
	unknown := newEvent("unknown", "u1", "", time.Minute)
	unknown.conversation = "c9"
	elsewhere := newEvent("other product", "u1", "", time.Minute)
	elsewhere.product = "p2"
	w.send(t, named, unknown, elsewhere)
	w.awaitAttributed(t, map[string]string{
		"same time": "u1 c1", "before": "u1 -", "the latest": "u1 c2", "15 minutes": "u1 c2", "a millisecond more": "u1 -", "another user": "u2 c3",
		"named": "u1 c3", "unknown": "u1 -", "other product": "u1 -",
	})
}

// An external id with MaxPairs addresses is a user for the loader and for the view, though other users hold all
// addresses.
func TestLoader_ExternalIDWithMaxPairs_IsUser(t *testing.T) {
	kfakeOnly(t)
	for _, addresses := range []int{identity.MaxPairs - 1, identity.MaxPairs} {
		w := newWorld(t, 1)
		w.load(t)
		var messages []testMessage
		for i := range addresses {
			address := fmt.Sprintf("%d@y.io", i)
			messages = append(messages, newIdentify(fmt.Sprintf("owner %d", i), address, 0), newEvent(fmt.Sprint(i), "guest", address, 0))
		}
		w.send(t, messages...)
		want := fmt.Sprintf("%d\t0", addresses)
		if addresses == identity.MaxPairs {
			want = "1\t1"
		}
		eventually(t, func() bool {
			return w.db.Exec(t, "SELECT uniqExact(user_id), (SELECT count() FROM users WHERE external_user_id = 'guest') FROM outcomes") == want
		}, want)
	}
}

// scenario returns many messages with few names, so that they affect each other.
func scenario(r *rand.Rand, n int) []testMessage {
	pick := func(prefix, suffix string, of int) string {
		if i := r.IntN(of + 2); i < of {
			return fmt.Sprintf("%s%d%s", prefix, i, suffix)
		}
		return ""
	}
	var list []testMessage
	for i := range n {
		s := testMessage{
			workspace: "w", product: []string{"p", "p2"}[r.IntN(2)], user: pick("u", "", 6), email: pick("", "@x.io", 6),
			at: noon.Add(time.Duration(r.IntN(40)) * 3 * time.Minute),
		}
		if r.IntN(8) == 0 {
			s.workspace, s.product = "w2", "p3"
		}
		switch r.IntN(8) {
		case 0:
			s.kind = stream.KindIdentify
			if s.user+s.email == "" {
				s.user = "u0"
			}
		case 1, 2:
			s.kind = stream.KindConversation
			s.conversation = fmt.Sprintf("c%d", r.IntN(8))
		default:
			s.kind, s.id = stream.KindEvent, fmt.Sprintf("e%d", i)
			if r.IntN(4) == 0 {
				s.conversation = fmt.Sprintf("c%d", r.IntN(12))
			}
			s.organization = pick("o", "", 3)
		}
		list = append(list, s)
	}
	return list
}

// expectedUsers computes the users and conversations of a scenario's events from the rules, without the loader's code.
func expectedUsers(all []testMessage) map[string]string {
	type name struct{ workspace, name string }
	type claim struct {
		strength int
		at       time.Time
		user     string
	}
	owner, explicit := map[name]claim{}, map[name]bool{}
	id := func(s *testMessage) []byte {
		i := identity.UserID([]byte(s.workspace), []byte(s.user))
		return i[:]
	}
	ids := map[name][]byte{}
	for i := range all {
		s := &all[i]
		user := name{s.workspace, s.user}
		if s.user != "" && s.kind != stream.KindEvent {
			explicit[user] = true
		}
		if s.user == "" || s.email == "" {
			continue
		}
		ids[user] = id(s)
	}
	firstExplicit := map[[3]string]bool{}
	for i := range all {
		if s := &all[i]; s.kind != stream.KindEvent && s.user != "" && s.email != "" {
			firstExplicit[[3]string{s.workspace, s.user, s.email}] = true
		}
	}
	for i := range all {
		s := &all[i]
		if s.email == "" {
			continue
		}
		c := claim{strength: 1, at: s.at, user: s.user}
		switch {
		case s.user == "":
			c = claim{strength: 2}
		case s.kind != stream.KindEvent:
			c.strength = 0
		case firstExplicit[[3]string{s.workspace, s.user, s.email}]:
			continue // the explicit message counts
		}
		email := name{s.workspace, s.email}
		o, ok := owner[email]
		order := cmp.Or(cmp.Compare(c.strength, o.strength), c.at.Compare(o.at), bytes.Compare(ids[name{s.workspace, c.user}], ids[name{s.workspace, o.user}]))
		if !ok || order < 0 {
			owner[email] = c
		}
	}
	known := func(u name) bool {
		if explicit[u] {
			return true
		}
		for email, o := range owner {
			if email.workspace == u.workspace && o.strength < 2 && o.user == u.name {
				return true
			}
		}
		return false
	}
	resolve := func(s *testMessage) string {
		if s.user != "" && known(name{s.workspace, s.user}) {
			return s.user
		}
		if s.email == "" {
			return ""
		}
		if o := owner[name{s.workspace, s.email}]; o.strength < 2 {
			return o.user
		}
		return s.email
	}
	want := map[string]string{}
	for i := range all {
		s := &all[i]
		if s.kind != stream.KindEvent {
			continue
		}
		user := resolve(s)
		best := claim{}
		for j := range all {
			a := &all[j]
			if a.kind != stream.KindConversation || a.product != s.product {
				continue
			}
			if s.conversation != "" {
				if a.conversation == s.conversation {
					best.user = s.conversation
				}
				continue
			}
			if user == "" || resolve(a) != user || a.at.After(s.at) || s.at.Sub(a.at) > identity.LookBack {
				continue
			}
			ia, ib := identity.ConversationID([]byte(s.product), []byte(a.conversation)), identity.ConversationID([]byte(s.product), []byte(best.user))
			if best.user == "" || a.at.After(best.at) || a.at.Equal(best.at) && bytes.Compare(ia[:], ib[:]) > 0 {
				best = claim{at: a.at, user: a.conversation}
			}
		}
		nameOrDash := func(prefix, of string) string {
			if of == "" {
				return "-"
			}
			return prefix + of
		}
		want[s.id] = nameOrDash(strings.TrimPrefix(s.workspace, "w"), user) + " " + nameOrDash(strings.TrimPrefix(s.product, "p"), best.user)
	}
	return want
}

var (
	firstSeed = flag.Uint64("first-seed", 0, "seed of the first scenario")
	seeds     = flag.Uint64("seeds", 1, "scenarios to run in three orders each")
)

// The result is the same for any order of arrival, with duplicates, key salting, and loaders that stop or are killed in
// between, with one ClickHouse or with shards.
func TestLoader_AnyOrder_SameResult(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 4))
			messages := scenario(r, 120)
			want := expectedUsers(messages)
			var worlds []*world
			for order := range 3 {
				w := newWorld(t, 3)
				if order == 2 {
					w.shard(t)
				}
				w.config.IdentityCache = []int{2, 100_000, 10}[order]
				w.salts = []int{1, 3, 2}[order]
				worlds = append(worlds, w)
			}
			t.Run("orders", func(orders *testing.T) { // in parallel, because they mostly wait
				for order, w := range worlds {
					r := rand.New(rand.NewPCG(seed, 5+uint64(order)))
					arrivals := slices.Clone(messages)
					for range 30 {
						arrivals = append(arrivals, messages[r.IntN(len(messages))])
					}
					if order > 0 {
						r.Shuffle(len(arrivals), func(i, j int) { arrivals[i], arrivals[j] = arrivals[j], arrivals[i] })
					}
					orders.Run(fmt.Sprint(order), func(each *testing.T) {
						each.Parallel()
						w.sendInParts(t, r, arrivals) // its loaders still run after it
						w.awaitAttributed(each, want)
					})
				}
			})
			for _, w := range worlds[1:] { // rows without an effect on events may follow later
				for deadline := time.Now().Add(time.Minute); w.storedEntities(t) != worlds[0].storedEntities(t) && time.Now().Before(deadline); {
					time.Sleep(200 * time.Millisecond)
				}
				require.Equal(t, worlds[0].storedEntities(t), w.storedEntities(t))
			}
		})
	}
}

// sendInParts sends messages in parts while loaders run and stop. One loader is killed.
func (w *world) sendInParts(t testing.TB, r *rand.Rand, arrivals []testMessage) {
	for killed := false; len(arrivals) > 0; {
		n := min(1+r.IntN(60), len(arrivals))
		w.send(t, arrivals[:n]...)
		arrivals = arrivals[n:]
		switch {
		case r.IntN(2) == 0:
			l := w.load(t)
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
			l.stop(t)
		case !killed:
			killed = true
			child := w.child(t)
			time.Sleep(time.Duration(200+r.IntN(500)) * time.Millisecond)
			require.NoError(t, child.Process.Kill())
			_ = child.Wait() // it was killed
		}
	}
	w.load(t)
	w.load(t)
}

func (w *world) storedEntities(t testing.TB) string {
	return w.db.Exec(t, "SELECT * FROM users ORDER BY user_id") + "\n" +
		w.db.Exec(t, "SELECT * FROM organizations ORDER BY organization_id") + "\n" +
		w.db.Exec(t, "SELECT * FROM conversations ORDER BY conversation_id")
}
