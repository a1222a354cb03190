package identity

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// message is what an event or an identify says of a user.
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

// loader is what a process does with its Identities, without the process: rows are the events in its table.
type loader struct {
	t      *rapid.T
	number int
	store  *store
	known  *Identities
	air    []*journey
	rows   []row
	news   []moved
	read   int // of the store's log

	preload *Preload // under way
	passed  int      // parts of it
	persons []Claim  // that are still to be passed
}

type row struct {
	message
	user ID
}

type moved struct {
	pairName
	from ID
}

// journey is a flight and where it is.
type journey struct {
	flight   *Batch
	messages []message
	claims   []Claim
	holdings []AddressState
	learnt   []Claim
	moved    []moved
	users    []ID
	stage    int
}

func (l *loader) begin(messages []message) {
	j := &journey{flight: l.known.BeginBatch(), messages: messages}
	l.known.Lock()
	for i := range messages {
		j.flight.Add([]byte(messages[i].workspace), present(messages[i].external), present(messages[i].email))
	}
	l.known.Unlock()
	l.air = append(l.air, j)
}

// advance takes a journey a step on, and tells whether it has landed.
func (l *loader) advance(j *journey) bool {
	switch j.stage++; j.stage {
	case 1:
		j.claims, j.holdings = l.store.identities(j.flight.Missing())
	case 2:
		j.flight.Load(j.claims, j.holdings)
		l.learn(j)
	case 3:
		l.store.write(j.learnt, l.number)
	case 4:
		l.news = append(l.news, j.moved...)
	case 5:
		for i := range j.messages {
			l.rows = append(l.rows, row{j.messages[i], j.users[i]})
		}
		j.flight.Complete()
		return true
	}
	return false
}

func (l *loader) learn(j *journey) {
	l.known.Lock()
	defer l.known.Unlock()
	for i := range j.messages {
		c := j.messages[i].claim()
		if c.Email == nil && !j.messages[i].explicit {
			continue // says nothing
		}
		change := j.flight.Observe(i, &c)
		c.Email, _ = Fold(nil, c.Email)
		if change.New {
			j.learnt = append(j.learnt, c)
		}
		if change.Reassigned {
			j.moved = append(j.moved, moved{nameOf(&c), change.PreviousUser})
		}
	}
	for i := range j.messages {
		id, _ := j.flight.Resolve(i)
		j.users = append(j.users, id)
	}
}

func (l *loader) step(j int) {
	if l.advance(l.air[j]) {
		l.air = append(l.air[:j], l.air[j+1:]...)
	}
}

// preloads takes a preload a step on. What is written by address is read before what is by external id.
func (l *loader) preloads() {
	switch l.passed++; l.passed {
	case 1:
		l.preload = l.known.Preload()
		l.preload.Addresses(l.store.all(func(c *Claim) bool { return c.Email != nil }))
	case 2:
		all := l.store.all(func(c *Claim) bool { return c.ExternalID != nil })
		l.preload.ExternalIDs(all[:len(all)/2])
		l.persons = all[len(all)/2:]
	case 3:
		l.preload.ExternalIDs(l.persons)
	case 4:
		l.preload.Complete()
		l.passed = 0
	}
}

// poll hears what others have written, but not in the middle of a preload.
func (l *loader) poll() {
	for l.passed > 0 {
		l.preloads()
	}
	for ; l.read < len(l.store.log); l.read++ {
		w := &l.store.log[l.read]
		if w.writer == l.number {
			continue
		}
		c := w.claim
		l.known.Merge(&c)
		l.news = append(l.news, moved{nameOf(&c), ID{}})
		if c.Email != nil {
			for _, id := range l.store.claimants(string(c.Workspace), string(c.Email)) {
				l.news = append(l.news, moved{pairName{}, id})
			}
		}
	}
}

// workIn resolves the rows that news covers anew, when the flights that may not know the news have landed.
func (l *loader) workIn() {
	news := l.news
	l.news = nil
	for len(l.air) > 0 {
		l.step(0)
	}
	for i := range l.rows {
		if r := &l.rows[i]; covered(r, news) {
			r.user = l.who(&r.message)
		}
	}
}

func covered(r *row, news []moved) bool {
	for _, m := range news {
		here := m.workspace == r.workspace
		if here && m.externalID != "" && m.externalID == r.external || here && m.email != "" && m.email == r.folded() || m.from != (ID{}) && m.from == r.user {
			return true
		}
	}
	return false
}

func (l *loader) who(m *message) ID {
	f := l.known.BeginBatch()
	defer f.Complete()
	l.known.Lock()
	f.Add([]byte(m.workspace), present(m.external), present(m.email))
	l.known.Unlock()
	f.Load(l.store.identities(f.Missing()))
	l.known.Lock()
	defer l.known.Unlock()
	id, known := f.Resolve(0)
	require.Equal(l.t, id != ID{}, known)
	return id
}

// crowd is an external id that comes with many addresses.
const crowd = "guest"

func crowdAddress(i int) string { return fmt.Sprintf("%d@crowd", i) }

// gathering is a crowd of about as many as make a difference, in any order, with addresses that are all others' or not.
func gathering(t *rapid.T) (list []message) {
	taken := rapid.Bool().Draw(t, "the addresses are another's")
	size := rapid.IntRange(MaxPairs-2, MaxPairs+2).Draw(t, "size of the crowd")
	for i := range size {
		at := rapid.Int64Range(0, 3).Draw(t, "at")
		list = append(list, message{workspace: "v", external: crowd, email: crowdAddress(i), at: at})
		if taken {
			list = append(list, message{workspace: "v", external: "a", email: crowdAddress(i), explicit: true, at: at})
		}
	}
	list = append(list, message{workspace: "v", external: crowd})
	return rapid.Permutation(list).Draw(t, "crowd")
}

func messages(crowded bool) *rapid.Generator[message] {
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
		if crowded && rapid.IntRange(0, 5).Draw(t, "crowded") > 0 {
			m = message{workspace: "v", external: crowd, email: crowdAddress(rapid.IntRange(0, MaxPairs+6).Draw(t, "of the crowd's")), name: m.name, at: m.at}
			switch rapid.IntRange(0, 20).Draw(t, "how") {
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

// Two loaders with caches for next to nothing, each with flights that overlap, hear the messages of one
// another. In the end every row is about whom the rule says, and nothing but the news of changes has made it so.
func TestTheEndIsTheRule(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		t.Run(fmt.Sprintf("crowded=%v", crowded), rapid.MakeCheck(func(t *rapid.T) {
			s := newStore()
			loaders := make([]*loader, rapid.IntRange(1, 2).Draw(t, "loaders"))
			for n := range loaders {
				loaders[n] = &loader{t: t, number: n, store: s, known: NewIdentities(rapid.IntRange(1, 8).Draw(t, "cache"))}
			}
			var said []message
			var gathered []message
			if crowded {
				gathered = gathering(t)
			}
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				l := loaders[rapid.IntRange(0, len(loaders)-1).Draw(t, "loader")]
				switch what := rapid.IntRange(0, 13).Draw(t, "what"); {
				case what < 4 && len(l.air) < 3:
					list := rapid.SliceOfN(messages(crowded), 1, 6).Draw(t, "messages")
					n := min(len(gathered), rapid.IntRange(0, 40).Draw(t, "of the crowd"))
					list, gathered = append(list, gathered[:n]...), gathered[n:]
					said = append(said, list...)
					l.begin(list)
				case what == 8:
					l.poll()
				case what == 9:
					l.workIn()
				case what >= 10:
					l.preloads()
				default:
					for range rapid.IntRange(1, 4).Draw(t, "far") {
						if len(l.air) > 0 {
							l.step(rapid.IntRange(0, len(l.air)-1).Draw(t, "flight"))
						}
					}
				}
			}
			for _, l := range loaders {
				l.workIn() // all land
			}
			rule := modelOf(said)
			for _, l := range loaders {
				l.poll()
				for i := range l.rows {
					r := &l.rows[i]
					if r.user != rule.resolve(&r.message) {
						require.True(t, covered(r, l.news), "loader %d has %+v, but no news of it", l.number, *r)
					}
				}
				l.workIn()
				for i := range l.rows {
					r := &l.rows[i]
					require.Equal(t, rule.resolve(&r.message), r.user, "loader %d, %+v", l.number, r.message)
				}
				for i := range said {
					require.Equal(t, rule.resolve(&said[i]), l.who(&said[i]), "loader %d, %+v", l.number, said[i])
				}
			}
		}))
	}
}
