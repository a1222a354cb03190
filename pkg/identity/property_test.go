package identity

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// message is an event or an identify.
type message struct {
	workspace, external, email, name string
	explicit                         bool
	at                               int64
}

func (m *message) folded() string { return strings.ToLower(m.email) }

func (m *message) claim() Claim {
	c := EmptyClaim
	c.Workspace, c.ExternalID, c.Email = []byte(m.workspace), present(m.external), present(m.email)
	if m.explicit {
		c.Explicit.At = m.at
	} else {
		c.Event.At = m.at
		if m.name != "" {
			c.FirstName = Timestamped{m.at, []byte(m.name)}
		}
	}
	return c
}

func present(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// loader does what a loader does with its Identities. rows are its stored events.
type loader struct {
	t          *rapid.T
	number     int
	store      *store
	identities *Identities
	running    []*progress
	rows       []row
	changes    []reassigned
	pulled     int // the time up to which the log was pulled
	from       int // all queued changes were written after
	rereads    bool
	rereadFrom int

	preload     *Preload
	preloadStep int
	restOfIDs   []Claim // of the preload
}

type row struct {
	message
	user ID
}

type reassigned struct {
	pairName
	previous ID
}

// progress is a batch and the step it is at.
type progress struct {
	batch     *Batch
	messages  []message
	claims    []Claim
	states    []AddressState
	newClaims []Claim
	changes   []reassigned
	users     []ID
	step      int
	from      int // its claims are written after
}

func (l *loader) begin(messages []message) {
	j := &progress{batch: l.identities.BeginBatch(), messages: messages}
	l.identities.Lock()
	for i := range messages {
		j.batch.Add([]byte(messages[i].workspace), present(messages[i].external), present(messages[i].email))
	}
	l.identities.Unlock()
	l.running = append(l.running, j)
}

// advance runs the next step of a batch, and returns true after the last.
func (l *loader) advance(j *progress) bool {
	switch j.step++; j.step {
	case 1:
		j.claims, j.states = l.store.identities(j.batch.Missing())
	case 2:
		j.batch.Load(j.claims, j.states)
		l.observe(j)
	case 3:
		j.from = l.store.now
		l.store.write(j.newClaims, l.number)
	case 4:
		l.enqueue(j.changes, j.from)
	case 5:
		for i := range j.messages {
			l.rows = append(l.rows, row{j.messages[i], j.users[i]})
		}
		j.batch.Complete()
		return true
	}
	return false
}

func (l *loader) observe(j *progress) {
	l.identities.Lock()
	defer l.identities.Unlock()
	for i := range j.messages {
		c := j.messages[i].claim()
		if c.Email == nil && !j.messages[i].explicit {
			continue // no claim
		}
		change := j.batch.Observe(i, &c)
		c.Email, _ = Fold(nil, c.Email)
		if change.New {
			j.newClaims = append(j.newClaims, c)
		}
		if change.Reassigned {
			j.changes = append(j.changes, reassigned{nameOf(&c), change.PreviousUser})
		}
	}
	for i := range j.messages {
		id, _ := j.batch.Resolve(i)
		j.users = append(j.users, id)
	}
}

func (l *loader) step(j int) {
	if l.advance(l.running[j]) {
		l.running = append(l.running[:j], l.running[j+1:]...)
	}
}

// advancePreload runs the next step of a preload. Claims by address are read before claims by external id.
func (l *loader) advancePreload() {
	switch l.preloadStep++; l.preloadStep {
	case 1:
		l.preload = l.identities.Preload()
		l.preload.Addresses(l.store.all(func(c *Claim) bool { return c.Email != nil }))
	case 2:
		all := l.store.all(func(c *Claim) bool { return c.ExternalID != nil })
		l.preload.ExternalIDs(all[:len(all)/2])
		l.restOfIDs = all[len(all)/2:]
	case 3:
		l.preload.ExternalIDs(l.restOfIDs)
	case 4:
		l.preload.Complete()
		l.preloadStep = 0
	}
}

// pull merges a page of the claims of other loaders, after a running preload. It returns true after the last.
func (l *loader) pull() (all bool) {
	for l.preloadStep > 0 {
		l.advancePreload()
	}
	pulled := 0
	for _, w := range l.store.log {
		if w.at <= l.pulled || w.writer == l.number {
			continue
		}
		if pulled++; pulled > pullPage {
			return false
		}
		l.enqueue(l.remoteChanges(&w), l.pulled)
		l.pulled = w.at
	}
	l.pulled = l.store.now
	return true
}

const (
	pullPage  = 20 // rows
	maxQueued = 30 // changes
)

// remoteChanges merges a row and returns its changes.
func (l *loader) remoteChanges(w *written) []reassigned {
	c := w.claim
	l.identities.Merge(&c)
	changes := []reassigned{{nameOf(&c), ID{}}}
	if c.Email != nil {
		for _, id := range l.store.usersOf(string(c.Workspace), string(c.Email)) {
			changes = append(changes, reassigned{pairName{}, id})
		}
	}
	return changes
}

// enqueue queues changes. If there are too many, they are dropped, and all rows since are reread.
func (l *loader) enqueue(changes []reassigned, from int) {
	if len(l.changes) > 0 {
		from = min(from, l.from)
	}
	l.from = from
	l.changes = append(l.changes, changes...)
	if len(l.changes) > maxQueued {
		if l.rereads {
			l.from = min(l.from, l.rereadFrom)
		}
		l.changes, l.rereads, l.rereadFrom = nil, true, l.from
	}
}

// reread applies the rows since the first dropped change, while rows are written again and merged.
func (l *loader) reread() {
	if !l.rereads {
		return
	}
	l.rereads = false
	page, position := l.store.sweep(l.rereadFrom, "", pullPage)
	for len(page) > 0 {
		var changes []reassigned
		for i := range page {
			changes = append(changes, l.remoteChanges(&page[i])...)
		}
		l.apply(changes)
		if rapid.Bool().Draw(l.t, "rows move") {
			l.store.rewrite(rapid.IntRange(0, len(l.store.log)-1).Draw(l.t, "row"))
			l.store.merge()
		}
		page, position = l.store.sweep(l.rereadFrom, position, pullPage)
	}
}

// revise resolves the rows that changes affect again, after all batches in progress.
func (l *loader) revise() {
	changes := l.changes
	l.changes = nil
	for len(l.running) > 0 {
		l.step(0)
	}
	l.apply(changes)
	l.reread()
}

func (l *loader) apply(changes []reassigned) {
	for i := range l.rows {
		if r := &l.rows[i]; affected(r, changes) {
			r.user = l.resolve(&r.message)
		}
	}
}

func affected(r *row, changes []reassigned) bool {
	for _, m := range changes {
		here := m.workspace == r.workspace
		byID := here && m.externalID != "" && m.externalID == r.external
		byAddress := here && m.email != "" && m.email == r.folded()
		if byID || byAddress || m.previous != (ID{}) && m.previous == r.user {
			return true
		}
	}
	return false
}

func (l *loader) resolve(m *message) ID {
	f := l.identities.BeginBatch()
	defer f.Complete()
	l.identities.Lock()
	f.Add([]byte(m.workspace), present(m.external), present(m.email))
	l.identities.Unlock()
	f.Load(l.store.identities(f.Missing()))
	l.identities.Lock()
	defer l.identities.Unlock()
	id, known := f.Resolve(0)
	require.Equal(l.t, id != ID{}, known)
	return id
}

// guest is an external id that comes with many addresses.
const guest = "guest"

func guestAddress(i int) string { return fmt.Sprintf("%d@guest", i) }

// guestMessages are messages of guest with about MaxPairs addresses, in any order. Other users hold all of them, or
// none.
func guestMessages(t *rapid.T) (list []message) {
	taken := rapid.Bool().Draw(t, "other users hold the addresses")
	size := rapid.IntRange(MaxPairs-2, MaxPairs+2).Draw(t, "addresses of guest")
	for i := range size {
		at := rapid.Int64Range(0, 3).Draw(t, "at")
		list = append(list, message{workspace: "v", external: guest, email: guestAddress(i), at: at})
		if taken {
			list = append(list, message{workspace: "v", external: "a", email: guestAddress(i), explicit: true, at: at})
		}
	}
	list = append(list, message{workspace: "v", external: guest})
	return rapid.Permutation(list).Draw(t, "order")
}

func messages(overflow bool) *rapid.Generator[message] {
	externals := []string{"", "", "a", "b", "c", "d"}
	return rapid.Custom(func(t *rapid.T) message {
		m := message{
			workspace: rapid.SampledFrom([]string{"v", "v", "v", "w"}).Draw(t, "workspace"),
			external:  rapid.SampledFrom(externals).Draw(t, "external id"),
			email:     rapid.SampledFrom([]string{"", "", "1@x", "2@x", "3@x", "4@x", "1@X"}).Draw(t, "address"),
			name:      rapid.SampledFrom([]string{"", "n"}).Draw(t, "name"),
			explicit:  rapid.IntRange(0, 4).Draw(t, "explicit") == 0,
			at:        rapid.Int64Range(-3, 3).Draw(t, "at"),
		}
		if overflow && rapid.IntRange(0, 5).Draw(t, "guest") > 0 {
			address := guestAddress(rapid.IntRange(0, MaxPairs+6).Draw(t, "address of guest"))
			m = message{workspace: "v", external: guest, email: address, name: m.name, at: m.at}
			switch rapid.IntRange(0, 20).Draw(t, "variation") {
			case 0:
				m.email = ""
			case 1, 2:
				m.external, m.explicit = "a", true
			case 3:
				m.external = "b"
			}
		}
		if m.explicit && m.external+m.email == "" {
			m.external = "a"
		}
		return m
	})
}

// One or two loaders with small caches and overlapping batches pull each other's claims. In the end each row has the
// user of the rule. A row that differs before the last pull is affected by a change.
func TestIdentities_AnyOrder_EqualsRule(t *testing.T) {
	for _, overflow := range []bool{false, true} {
		t.Run(fmt.Sprintf("overflow=%v", overflow), rapid.MakeCheck(func(t *rapid.T) {
			s := newStore()
			loaders := make([]*loader, rapid.IntRange(1, 2).Draw(t, "loaders"))
			for n := range loaders {
				cache := rapid.IntRange(1, 8).Draw(t, "cache")
				loaders[n] = &loader{t: t, number: n, store: s, identities: NewIdentities(cache)}
			}
			var all, guests []message
			if overflow {
				guests = guestMessages(t)
			}
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				l := loaders[rapid.IntRange(0, len(loaders)-1).Draw(t, "loader")]
				switch what := rapid.IntRange(0, 14).Draw(t, "action"); {
				case what < 4 && len(l.running) < 3:
					list := rapid.SliceOfN(messages(overflow), 1, 6).Draw(t, "messages")
					n := min(len(guests), rapid.IntRange(0, 40).Draw(t, "messages of guest"))
					list, guests = append(list, guests[:n]...), guests[n:]
					all = append(all, list...)
					l.begin(list)
				case what == 8:
					l.pull()
				case what == 9:
					l.revise()
				case what == 14:
					s.merge()
				case what >= 10:
					l.advancePreload()
				default:
					for range rapid.IntRange(1, 4).Draw(t, "steps of batches") {
						if len(l.running) > 0 {
							l.step(rapid.IntRange(0, len(l.running)-1).Draw(t, "batch"))
						}
					}
				}
			}
			for _, l := range loaders {
				l.revise()
			}
			rule := modelOf(all)
			for _, l := range loaders {
				for !l.pull() {
				}
				for i := range l.rows {
					r := &l.rows[i]
					if !l.rereads && r.user != rule.resolve(&r.message) {
						require.True(t, affected(r, l.changes), "loader %d: no change affects %+v", l.number, *r)
					}
				}
				l.revise()
				for i := range l.rows {
					r := &l.rows[i]
					require.Equal(t, rule.resolve(&r.message), r.user, "loader %d, %+v", l.number, r.message)
				}
				for i := range all {
					require.Equal(t, rule.resolve(&all[i]), l.resolve(&all[i]), "loader %d, %+v", l.number, all[i])
				}
			}
		}))
	}
}
