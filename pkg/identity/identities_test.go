package identity

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLatestBefore(t *testing.T) {
	low, high := ID{0: 1}, ID{0: 2}
	const at, back = 1779105600123, 15 * 60 * 1000
	for name, c := range map[string]struct {
		activities Activities
		want       ID
	}{
		"none":                                     {nil, ID{}},
		"at the same time":                         {Activities{{at, low}}, low},
		"a millisecond later":                      {Activities{{at + 1, low}}, ID{}},
		"15 minutes before":                        {Activities{{at - back, low}}, low},
		"15 minutes and a millisecond":             {Activities{{at - back - 1, low}}, ID{}},
		"the latest of two":                        {Activities{{at - 5, low}, {at - 6, high}}, low},
		"not one after the event":                  {Activities{{at - 5, low}, {at + 1, high}}, low},
		"one after the event and one too old":      {Activities{{at + 1, low}, {at - back - 1, high}}, ID{}},
		"of two at the same time, the greatest id": {Activities{{at, high}, {at, low}}, high},
		"one at each end":                          {Activities{{at - back, high}, {at, low}}, low},
	} {
		t.Run(name, func(t *testing.T) {
			c.activities.Sort()
			got, ok := c.activities.LatestBefore(at)
			require.Equal(t, c.want, got)
			require.Equal(t, c.want != ID{}, ok)
		})
	}
}

func TestFold(t *testing.T) {
	for address, want := range map[string]string{
		"": "", "a.b+c@x.io": "a.b+c@x.io", "A@X.IO": "a@x.io", "a@x.iO": "a@x.io", "[`{@az": "[`{@az",
		"ÄÖ@x.io": "äö@x.io", "ä@x.io": "ä@x.io", "ΑΣ@x.io": "ασ@x.io", "\U0001F600@X": "\U0001F600@x",
	} {
		before := strings.Clone(address)
		folded, memory := Fold([]byte("kept"), []byte(address))
		require.Equal(t, want, string(folded), address)
		require.Equal(t, before, address)
		require.Equal(t, "kept", string(memory[:4]))
		twice, _ := Fold(nil, folded)
		require.Equal(t, want, string(twice), "folded twice")
	}
	folded, memory := Fold(nil, nil)
	require.Nil(t, folded)
	require.Nil(t, memory)
	address := []byte("a@x.io")
	folded, _ = Fold(nil, address)
	require.Same(t, &address[0], &folded[0], "an address in lower case is not copied")
	first, memory := Fold(nil, []byte("A@x"))
	second, _ := Fold(memory, []byte("B@x"))
	_ = append(first, "overrun"...)
	require.Equal(t, "a@x b@x", string(first)+" "+string(second))
}

// Stored rows have these ids, so they must never change.
func TestIDs_NeverChange(t *testing.T) {
	a, b := []byte("w"), []byte("x")
	for want, got := range map[string]ID{
		"0dc06f93-8d0d-504b-ad04-cc6f46dc0637": UserID(a, b),
		"23f722d3-4589-5ee4-9e93-5e40fe8f6e4e": AddressID(a, b),
		"22acf301-d3e4-57d6-b3d3-2b4c9930cfe7": OrganizationID(a, b),
		"f6ad146c-e6cc-5cbb-bf00-79935ebc7a60": ConversationID(a, b),
	} {
		require.Equal(t, want, got.String())
	}
	long := []byte(strings.Repeat("x", 1000))
	require.NotEqual(t, UserID(a, long), UserID(a, long[1:]))
}

func TestIDs_DifferentNames_Differ(t *testing.T) {
	texts := []string{"", "\x00", "\x01", "a", "ab", "aba", "b", "ba", "user", "user\x00", "\x01a"}
	for _, length := range []int{127, 128, 256} {
		texts = append(texts, strings.Repeat("a", length))
	}
	seen := map[ID]string{}
	for kind, id := range map[string]func(scope, name []byte) ID{
		"user": UserID, "address": AddressID, "organization": OrganizationID, "conversation": ConversationID,
	} {
		for _, scope := range texts {
			for _, name := range texts {
				triple := fmt.Sprintf("%s %q %q", kind, scope, name)
				got := id([]byte(scope), []byte(name))
				require.Empty(t, seen[got], triple)
				seen[got] = triple
			}
		}
	}
}

func TestKeys_DifferentScopesOrNames_Differ(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "a", "b", "ab", "\x00"})
		draw := func() [2]string { return [2]string{text.Draw(t, "scope"), text.Draw(t, "name")} }
		a, b := draw(), draw()
		k := func(n [2]string) key { return hash([]byte(n[1])).in(hash([]byte(n[0]))) }
		require.Equal(t, a == b, k(a) == k(b))
		require.NotEqual(t, key{}, k(a))
	})
}

// begin begins a batch with one external id and one address.
func begin(i *Identities, externalID, email string) *Batch {
	f := i.BeginBatch()
	i.Lock()
	f.Add([]byte("w"), present(externalID), present(email))
	i.Unlock()
	f.Load(nil, nil)
	return f
}

func TestCache_BatchInProgress_KeepsItsEntries(t *testing.T) {
	i := NewIdentities(2)
	f := begin(i, "kept", "kept@x")
	i.Lock()
	c := EmptyClaim
	c.Workspace, c.ExternalID, c.Email, c.Event.At = []byte("w"), []byte("kept"), []byte("kept@x"), 1
	require.Equal(t, Change{New: true, Reassigned: true}, f.Observe(0, &c))
	i.Unlock()
	for n := range 20 {
		begin(i, fmt.Sprint(n), fmt.Sprint(n, "@x")).Complete()
		i.Lock()
		id, known := f.Resolve(0)
		i.Unlock()
		require.True(t, known)
		require.Equal(t, UserID([]byte("w"), []byte("kept")), id)
	}
	require.Equal(t, 42, i.Stats().Entries, "a batch in progress prevents evictions")
	f.Complete()
	f.Complete() // a second time
	for n := range 4 {
		begin(i, fmt.Sprint("later", n), "").Complete()
	}
	require.LessOrEqual(t, i.Stats().Entries, 4)
	next := i.BeginBatch()
	i.Lock()
	next.Add([]byte("w"), []byte("kept"), []byte("KEPT@x"))
	i.Unlock()
	externalIDs, addresses := next.Missing()
	require.Equal(t, []Name{{[]byte("w"), []byte("kept")}}, externalIDs)
	require.Equal(t, []Name{{[]byte("w"), []byte("kept@x")}}, addresses)
}

// Batches that overlap all the time do not prevent evictions.
func TestCache_OverlappingBatches_StillEvicts(t *testing.T) {
	i := NewIdentities(4)
	var before *Batch
	for n := range 200 {
		f := begin(i, fmt.Sprint(n), "")
		if before != nil {
			before.Complete()
		}
		before = f
		require.LessOrEqual(t, i.Stats().Entries, 8)
	}
}

func TestMissing_RepeatedEntities_AreListedOnce(t *testing.T) {
	i := NewIdentities(100)
	f := i.BeginBatch()
	i.Lock()
	for range 3 {
		f.Add([]byte("w"), []byte("u"), []byte("u@x"))
		f.Add([]byte("w"), []byte("v"), []byte("U@x"))
	}
	i.Unlock()
	externalIDs, addresses := f.Missing()
	require.Len(t, externalIDs, 2)
	require.Len(t, addresses, 1)
	f.Load(nil, nil)
	f.Complete()
	f = begin(i, "u", "u@x")
	externalIDs, addresses = f.Missing()
	require.Empty(t, externalIDs)
	require.Empty(t, addresses)
	require.Equal(t, Stats{Entries: 3, Hits: 2, Misses: 3}, i.Stats())
}

func TestAwaitBatches_WaitsForBatchesInProgress(t *testing.T) {
	i := NewIdentities(1)
	require.NoError(t, i.AwaitBatches(t.Context()), "there are none")
	first, second := i.BeginBatch(), i.BeginBatch()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, i.AwaitBatches(canceled), context.Canceled)
	first.Complete()
	require.ErrorIs(t, i.AwaitBatches(canceled), context.Canceled, "one is in progress")
	waited := make(chan error)
	go func() { waited <- i.AwaitBatches(context.Background()) }()
	second.Complete()
	third := i.BeginBatch()
	defer third.Complete()
	select {
	case err := <-waited:
		require.NoError(t, err)
	case <-time.After(100 * time.Millisecond): // AwaitBatches may have begun after the third batch
		third.Complete()
		require.NoError(t, <-waited)
	}
}

// An entry in the cache must not keep a batch with its hundred thousand entities in memory.
func TestCache_CompletedBatch_IsFreed(t *testing.T) {
	i := NewIdentities(100)
	f := begin(i, "u", "u@x")
	f.Complete()
	batch := weak.Make(f)
	f = nil
	runtime.GC()
	require.Nil(t, batch.Value())
	require.Equal(t, 2, i.Stats().Entries)
}

func TestObserveOrganization_ReturnsWhetherNew(t *testing.T) {
	i := NewIdentities(2)
	observe := func(id string, explicit, event, name int64) bool {
		c := EmptyOrganizationClaim
		c.Workspace, c.ExternalID = []byte("w"), []byte(id)
		c.Explicit.At, c.Event.At = explicit, event
		if name != Never {
			c.FirstName = Timestamped{name, []byte("n")}
		}
		isNew := i.ObserveOrganization(&c)
		require.Equal(t, OrganizationID([]byte("w"), []byte(id)), c.OrganizationID)
		return isNew
	}
	i.Lock()
	defer i.Unlock()
	require.True(t, observe("o", Never, 5, Never))
	require.False(t, observe("o", Never, 5, Never))
	require.False(t, observe("o", Never, 6, Never))
	require.True(t, observe("o", Never, 4, Never))
	require.True(t, observe("o", Never, 6, 6))
	require.True(t, observe("o", 9, Never, Never))
	for n := range 10 {
		require.True(t, observe(fmt.Sprint(n), 1, Never, Never))
	}
	require.LessOrEqual(t, i.organizations.len, 2)
	require.True(t, observe("o", 9, Never, Never), "an evicted organization counts as new")
}

func TestObserveConversation_SecondTime_IsNotNew(t *testing.T) {
	i := NewIdentities(2)
	i.Lock()
	defer i.Unlock()
	require.True(t, i.ObserveConversation([]byte("p"), []byte("c")))
	require.False(t, i.ObserveConversation([]byte("p"), []byte("c")))
	require.True(t, i.ObserveConversation([]byte("c"), []byte("p")))
	for n := range 10 {
		require.True(t, i.ObserveConversation([]byte("p"), fmt.Append(nil, n)))
	}
	require.LessOrEqual(t, i.conversations.len, 2)
}

// warm returns a batch of known users, each with an external id and an address.
func warm(people int) (*Identities, *Batch, []Claim) {
	i := NewIdentities(4 * people)
	claims := make([]Claim, people)
	f := i.BeginBatch()
	i.Lock()
	for n := range claims {
		claims[n] = EmptyClaim
		claims[n].Workspace, claims[n].ExternalID = []byte("w"), fmt.Appendf(nil, "user_%d", n)
		claims[n].Email = fmt.Appendf(nil, "ada%d@example.com", n)
		claims[n].Event = Timestamped{1, []byte("segment")}
		f.Add(claims[n].Workspace, claims[n].ExternalID, claims[n].Email)
	}
	i.Unlock()
	f.Load(nil, nil)
	i.Lock()
	defer i.Unlock()
	for n := range claims {
		f.Observe(n, &claims[n])
	}
	return i, f, claims
}

func TestBatch_KnownUsers_AllocatesNothing(t *testing.T) {
	const events = 100
	i, f, claims := warm(events)
	f.Complete()
	f = i.BeginBatch()
	workspace, upper := []byte("w"), []byte("ADA1@Example.com")
	pass := func() {
		f.entities, f.names = f.entities[:0], f.names[:0]
		i.Lock()
		defer i.Unlock()
		for n := range claims {
			f.Add(claims[n].Workspace, claims[n].ExternalID, claims[n].Email)
		}
		f.Add(workspace, nil, upper)
		for n := range claims {
			f.Observe(n, &claims[n])
			f.Resolve(n)
		}
	}
	pass()
	require.Zero(t, testing.AllocsPerRun(100, pass))
}

func BenchmarkWarm(b *testing.B) {
	for _, people := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			i, f, claims := warm(people)
			f.Complete()
			const block = 10_000
			b.ReportAllocs()
			b.ResetTimer()
			for done, at := 0, 0; done < b.N; done += block {
				f := i.BeginBatch()
				i.Lock()
				for j := range block {
					c := &claims[(at+j*7919)%people]
					f.Add(c.Workspace, c.ExternalID, c.Email)
				}
				for j := range block {
					f.Observe(j, &claims[(at+j*7919)%people])
				}
				for j := range block {
					f.Resolve(j)
				}
				i.Unlock()
				f.Complete()
				at += block
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/event")
		})
	}
}

// BenchmarkMemory measures the memory of an external id or an address in the cache.
func BenchmarkMemory(b *testing.B) {
	const people = 1_000_000
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		i, f, claims := warm(people)
		f.Complete()
		clear(claims)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(i.Stats().Entries), "bytes/entry")
	}
}
