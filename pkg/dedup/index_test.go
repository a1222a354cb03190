package dedup

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	hour  = int64(time.Hour / time.Millisecond)
	day   = 24 * hour
	part  = day / timeParts
	start = int64(1_760_000_000_000)
)

func newIndex(t testing.TB, maxIDs int) *Index {
	x, err := New(Config{Window: 24 * time.Hour, MaxIDs: maxIDs})
	require.NoError(t, err)
	return x
}

// fingerprintOf returns distinct fingerprints that are distributed like hashes.
func fingerprintOf(n int) uint64 { return uint64(n) * 0x9e3779b97f4a7c15 }

func TestConfigValidate(t *testing.T) {
	for name, config := range map[string]Config{
		"no window":      {MaxIDs: 1},
		"a short window": {Window: minWindow - 1, MaxIDs: 1},
		"no ids":         {Window: minWindow},
		"negative ids":   {Window: minWindow, MaxIDs: -1},
	} {
		_, err := New(config)
		require.Error(t, err, name)
	}
	_, err := New(Config{Window: minWindow, MaxIDs: 1})
	require.NoError(t, err)
}

func TestAdd_Results(t *testing.T) {
	x := newIndex(t, 100)
	p, q, id := []byte("p"), []byte("q"), []byte("segment:1")
	require.Equal(t, First, x.Add(p, id, 1, start))
	require.Equal(t, Same, x.Add(p, id, 1, start+hour))
	require.Equal(t, Suspect, x.Add(p, id, 2, start+hour))
	require.Equal(t, Suspect, x.Add(p, id, 2, start+hour), "a suspect is not remembered")
	require.Equal(t, First, x.Add(q, id, 1, start), "another product")
	require.Equal(t, First, x.Add(nil, []byte("psegment:1"), 1, start), "the same bytes with another split")
	require.Equal(t, First, x.Add(p, nil, 1, start))

	x.Admit(p, id, 2, start+hour)
	x.Admit(p, id, 2, start+hour)
	require.Equal(t, Same, x.Add(p, id, 2, start))
	require.Equal(t, Same, x.Add(p, id, 1, start))
	require.Equal(t, Suspect, x.Add(p, id, 3, start))
	require.Equal(t, Old, x.Add(p, []byte("segment:2"), 1, start+hour-day-1))
	x.Admit(p, id, 4, start+hour-day-1)
	require.Equal(t, Counts{First: 4, Same: 3, Suspect: 3, Old: 1, Admitted: 1}, x.Counts())
	require.Equal(t, 5, x.Len())
}

func TestFoldTime_Within49Days_NeverCollides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		high := rapid.Int64Range(-2, 1<<20).Draw(t, "high") << 32
		a, b := rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b")
		require.Equal(t, a == b, foldTime(high|int64(a)) == foldTime(high|int64(b)))
	})
	require.NotEqual(t, foldTime(start), foldTime(start+1<<32), "the high half counts as well")
}

func TestAdd_AfterWindow_IsFirst(t *testing.T) {
	for _, tc := range []struct {
		after int64
		want  Result
	}{
		{0, Suspect}, {day - 1, Suspect}, {day, Suspect}, {day + part, First}, {10 * day, First},
	} {
		x := newIndex(t, 1000)
		require.Equal(t, First, x.add(7, 1, start))
		for at := start + part; at <= start+tc.after; at += part / 3 { // a large step would only vote
			x.add(fingerprintOf(int(at)), 1, at)
		}
		require.Equal(t, tc.want, x.add(7, 2, start+tc.after), "after %d ms", tc.after)
		require.Equal(t, x.Now()-day, x.Since())
	}
}

func TestAdd_LateIDs(t *testing.T) {
	x := newIndex(t, 1000)
	for at := start; at <= start+day; at += part / 2 {
		require.Equal(t, First, x.add(fingerprintOf(int(at)), 1, at))
	}
	require.Equal(t, First, x.add(1, 1, start), "at the start of the window")
	require.Equal(t, Suspect, x.add(1, 2, start))
	require.Equal(t, Old, x.add(2, 1, start-1))
	require.Equal(t, Old, x.add(2, 1, math.MinInt64), "still not remembered")
	require.Equal(t, First, x.add(3, 1, start+part/4), "in an existing generation")
	require.Equal(t, Suspect, x.add(3, 2, start-day), "the time of the duplicate does not matter")
	require.Equal(t, start+day, x.Now(), "late ids do not move time back")
	require.Equal(t, First, x.add(4, 1, start+day+part/4))
	require.Equal(t, Suspect, x.add(3, 2, start+part/4), "still within the window")
	require.Equal(t, First, x.add(5, 1, start+day+part))
	require.Equal(t, Old, x.add(3, 2, start+part/4), "it was dropped with its generation")
}

func TestAdd_DescendingTimes_AreFound(t *testing.T) {
	x := newIndex(t, 1000)
	for i := range 500 { // from the latest to the earliest
		require.Equal(t, First, x.add(fingerprintOf(i), int64(i), start-day*int64(i)/500))
	}
	for i := range 500 {
		require.Equal(t, Same, x.add(fingerprintOf(i), int64(i), start))
		require.Equal(t, Suspect, x.add(fingerprintOf(i), -1, start))
	}
}

func TestAdd_OneWrongClock_DoesNotMoveTime(t *testing.T) {
	x := newIndex(t, 1<<20)
	require.Equal(t, First, x.add(1, 1, start))
	require.Equal(t, First, x.add(2, 1, start+part), "a step of one generation moves time")
	require.Equal(t, start+part, x.Now())
	for i := range 5 * minJumpVotes { // a third of the traffic, in long runs
		if i/1000%3 == 0 {
			require.Equal(t, First, x.add(fingerprintOf(10+i), 1, math.MaxInt64-int64(i)))
			require.Equal(t, Same, x.add(fingerprintOf(10+i), 1, start+part), "remembered as received now")
		} else {
			x.add(fingerprintOf(10+i), 1, start+part)
		}
	}
	require.Equal(t, start+part, x.Now())
	require.Equal(t, Suspect, x.add(1, 2, start+part), "the window is complete")
}

func TestAdd_LongSilence_MovesTime(t *testing.T) {
	x := newIndex(t, 4*minJumpVotes)
	require.Equal(t, First, x.add(1, 1, start))
	later := start + 3*day
	for i := range minJumpVotes - 1 {
		require.Equal(t, First, x.add(fingerprintOf(10+i), 1, later+int64(minJumpVotes-i)))
	}
	require.Equal(t, start, x.Now())
	require.Equal(t, Suspect, x.add(1, 2, start), "before the jump nothing is dropped") // a vote against the jump
	x.add(2, 1, later+day)
	require.Equal(t, start, x.Now())
	x.add(3, 1, later+day)
	require.Equal(t, later+2, x.Now(), "to the least time of the votes")
	for i := range minJumpVotes - 1 {
		require.Equal(t, Suspect, x.add(fingerprintOf(10+i), 2, later), "ids that voted survive the jump")
	}
	for at := later; at <= later+day+2*part; at += part {
		x.add(fingerprintOf(int(at)), 1, at)
	}
	require.Less(t, x.Len(), 20, "and are dropped a window later")
	require.Equal(t, First, x.add(1, 2, later+day+2*part))
}

func TestAdd_Jump_KeepsGenerationsWithinLimit(t *testing.T) {
	x, n := newIndex(t, 160), 0 // 10 ids fill a generation
	add := func(at int64, ids int) {
		for range ids {
			n++
			require.Equal(t, First, x.add(fingerprintOf(n), 1, at))
		}
	}
	vote := func(votes int) {
		for range votes {
			x.add(1, 1, start+3*day)
		}
	}
	add(start, 1)
	vote(minJumpVotes - 1)
	for i := range timeParts {
		add(start+int64(i)*part, 13) // one generation ends full, one by time
	}
	require.Equal(t, start+11*part, x.Now())
	require.Zero(t, x.Counts().Evicted)
	vote(13*timeParts + 1)
	require.Equal(t, start+3*day, x.Now())
	require.Greater(t, x.Len(), 13*timeParts, "ids after the first vote survive the jump")
	for i := range 2 * timeParts {
		add(start+3*day+int64(i)*part, 1)
		if x.window.next-x.window.oldest > maxGenerations {
			t.Fatalf("generations %d to %d", x.window.oldest, x.window.next)
		}
		checkTable(t, x)
	}
	require.NotZero(t, x.Counts().Evicted)
}

func TestAdd_AtMaxIDs_EvictsOneGeneration(t *testing.T) {
	for _, maxIDs := range []int{1, 2, 15, 16, 17, 31, 1000} {
		x := newIndex(t, maxIDs)
		for i := range maxIDs {
			require.Equal(t, First, x.add(fingerprintOf(i), 1, start+int64(i)))
		}
		require.Equal(t, maxIDs, x.Len())
		require.Equal(t, Suspect, x.add(fingerprintOf(0), 2, start), "at the limit nothing is evicted yet")
		require.Equal(t, start+int64(maxIDs)-1-day, x.Since())

		require.Equal(t, First, x.add(fingerprintOf(maxIDs), 1, start+int64(maxIDs)))
		evicted := (maxIDs + idParts - 1) / idParts
		require.Equal(t, maxIDs+1-evicted, x.Len(), "one generation was evicted")
		require.Equal(t, uint64(evicted), x.Counts().Evicted)
		require.Equal(t, start+int64(evicted)-1, x.Since())
		for i := range maxIDs + 1 {
			if i >= evicted {
				require.Equal(t, Suspect, x.add(fingerprintOf(i), 2, start+int64(i)))
			}
		}
		require.Equal(t, Old, x.add(fingerprintOf(-1), 1, x.Since()-1))
	}
}

func TestAdd_LateIDWhenFull_EvictsNonEmptyGeneration(t *testing.T) {
	x := newIndex(t, 3) // one id fills a generation
	for i, at := range []int64{start, start - 1, start + part, start + part, start + part, start + part} {
		// The second id is late when the newest generation is full. It must not leave an empty generation.
		require.Equal(t, First, x.add(fingerprintOf(i), 1, at))
		require.LessOrEqual(t, x.Len(), 3)
	}
	checkTable(t, x)
}

func TestAdd_ManyIDsInOneMillisecond(t *testing.T) {
	const maxIDs = 1600
	x := newIndex(t, maxIDs)
	for i := range 10 * maxIDs {
		require.Equal(t, First, x.add(fingerprintOf(i), 1, start))
		kept := fingerprintOf(max(0, i-maxIDs*15/16+1))
		require.Equal(t, Same, x.add(kept, 1, start), "the last 15 of 16 parts remain")
	}
	require.LessOrEqual(t, x.Len(), maxIDs)
	checkTable(t, x)
}

// Compares the index with a map that remembers everything. Many fingerprints collide or are at the ends of shards.
func TestIndex_AnyOperations_EqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct{ fingerprint, key uint64 }
		maxIDs := rapid.IntRange(1, 60).Draw(t, "maxIDs")
		x, err := New(Config{Window: 12 * time.Second, MaxIDs: maxIDs}) // parts of a second
		require.NoError(t, err)
		latest := map[entry]int64{} // received_at of remembered ids
		fingerprints := rapid.OneOf(
			rapid.Uint64Range(0, 3), rapid.Uint64Range(math.MaxUint64-3, math.MaxUint64),
			rapid.Uint64Range(1<<56-2, 1<<56+1), rapid.Map(rapid.IntRange(0, 60), fingerprintOf))
		now, running := int64(0), false
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			n := entry{fingerprints.Draw(t, "fingerprint"), rapid.Uint64Range(0, 2).Draw(t, "key")}
			steps := rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(-200, 1000), rapid.Int64Range(-14_000, 3000))
			at := now + steps.Draw(t, "at")
			if !running {
				now, running = at, true
			} else if at <= now+1000 {
				now = max(now, at)
			}
			result := x.add(n.fingerprint, int64(n.key), at)
			at = min(at, now)
			since := x.Since() // an eviction for this id may have moved it

			same, other := false, false
			mustSame, mustFind := false, false
			for key := range uint64(3) {
				when, met := latest[entry{n.fingerprint, key}]
				same, other = same || met && key == n.key, other || met && key != n.key
				mustSame = mustSame || met && key == n.key && when > since
				mustFind = mustFind || met && when > since
			}
			switch result {
			case First, Old:
				require.False(t, mustFind, "dropped within the window")
				require.Equal(t, at < since, result == Old)
			case Same:
				require.True(t, same, "never remembered")
			case Suspect:
				require.True(t, other, "never remembered")
				require.False(t, mustSame)
				if rapid.Bool().Draw(t, "admit") {
					before := x.Counts().Admitted
					x.admit(n.fingerprint, int64(n.key), at)
					if x.Counts().Admitted > before {
						latest[n] = at
					} else {
						require.Less(t, at, x.Since())
					}
				}
			}
			if result == First {
				latest[n] = at
			}
			require.Equal(t, now, x.Now())
			require.GreaterOrEqual(t, x.Since(), now-12_000)
			require.LessOrEqual(t, x.Len(), maxIDs)
			if x.Counts().Evicted == 0 {
				require.Equal(t, now-12_000, x.Since())
			}
		}
		checkTable(t, x)
	})
}

// checkTable sweeps all shards and checks the invariants of the table.
func checkTable(t require.TestingT, x *Index) {
	byGeneration := map[uint64]int{}
	for number := range uint64(shardCount) {
		s, used, last := x.shard(number<<(64-shardBits)), 0, uint64(0)
		for i := range s.slots {
			word := s.slots[i].word()
			if word == 0 {
				continue
			}
			used++
			byGeneration[word&generationMask]++
			gap := s.home(word)
			for gap < i && s.slots[gap].word() != 0 {
				gap++
			}
			if gap != i || word&^markMask < last {
				require.Fail(t, "a look-up does not find an id", "home %d, gap %d, at %d", s.home(word), gap, i)
			}
			last = word &^ markMask
		}
		require.Equal(t, used, s.used)
	}
	total := 0
	for g := x.window.oldest; g < x.window.next; g++ {
		require.Equal(t, x.window.at(g).ids, byGeneration[g&generationMask])
		total += x.window.at(g).ids
	}
	require.Equal(t, total, x.Len())
}

func TestAdd_ManyIDs(t *testing.T) {
	x, n := newIndex(t, 1<<20), 100_000
	var id [8]byte
	product := []byte("0199d3a0-0000-7000-8000-000000000001")
	for i := range 2 * n {
		binary.LittleEndian.PutUint64(id[:], uint64(i%n))
		want := First
		if i >= n {
			want = Suspect
		}
		if got := x.Add(product, id[:], int64(i), start+int64(i)); got != want {
			t.Fatalf("id %d: %d, want %d", i, got, want)
		}
	}
	checkTable(t, x)
}

func TestAdd_EqualFingerprints_GrowTail(t *testing.T) {
	x := newIndex(t, 10_000)
	for i := range 1000 {
		x.add(math.MaxUint64, 0, start)
		x.admit(math.MaxUint64, int64(i), start)
	}
	require.Equal(t, 1000, x.Len())
	for i := range 1000 {
		require.Equal(t, Same, x.add(math.MaxUint64, int64(i), start))
	}
	checkTable(t, x)
}

// TestBytesPerID checks the figure by which operators choose MaxIDs, at sizes between two growths, and compares Bytes
// with the heap.
func TestBytesPerID(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // frees what finalizers and pools held
	runtime.ReadMemStats(&before)
	x, lowest, highest := newIndex(t, 10_000_000), math.Inf(1), 0.0
	for i := range 300_000 {
		x.add(fingerprintOf(i), 1, start)
		if i >= 200_000 && i%2_000 == 0 {
			lowest, highest = min(lowest, bytesPerID(x)), max(highest, bytesPerID(x))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%.2f to %.2f bytes an id", lowest, highest)
	require.Less(t, highest, 17.5)
	require.Greater(t, lowest, 13.0)
	require.InEpsilon(t, x.Bytes(), after.HeapAlloc-before.HeapAlloc, 0.05)
	runtime.KeepAlive(x)
}

func bytesPerID(x *Index) float64 { return float64(x.Bytes()) / float64(x.Len()) }

func TestAdd_FewIDsAfterMany_FreesMemory(t *testing.T) {
	x := newIndex(t, 1_000_000)
	for i := range 200_000 {
		x.add(fingerprintOf(i), 1, start)
	}
	full := x.Bytes()
	for i := range 40 * shardCount { // a few ids for two windows
		x.add(fingerprintOf(-i), 1, start+int64(i)*2*day/(40*shardCount))
	}
	require.Less(t, x.Bytes(), full/5)
	checkTable(t, x)
}

func TestAdd_DoesNotAllocate(t *testing.T) {
	x, n := newIndex(t, 10_000), 0
	product, id := []byte("0199d3a0-0000-7000-8000-000000000001"), []byte("segment:ajs-next-0000000000000000")
	add := func() Result {
		n++
		binary.LittleEndian.PutUint64(id[20:], uint64(n/2))
		return x.Add(product, id, 1, start+int64(n))
	}
	for range 200_000 { // until the sizes of shards are stable
		add()
	}
	require.Zero(t, testing.AllocsPerRun(20_000, func() { add() }), "with evictions and sweeps")
}

func BenchmarkAdd(b *testing.B) {
	product, id := []byte("0199d3a0-0000-7000-8000-000000000001"), []byte("segment:ajs-next-0000000000000000")
	for _, ids := range []int{1_000_000, 10_000_000} {
		x := newIndex(b, ids)
		add := func(n int) Result {
			binary.LittleEndian.PutUint64(id[20:], fingerprintOf(n))
			return x.Add(product, id, 1, start+int64(n)*day/int64(ids)/2)
		}
		for n := range ids {
			add(n)
		}
		b.Run(fmt.Sprintf("same/%dM", ids/1_000_000), func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				add(int(fingerprintOf(n) >> 32 * uint64(ids) >> 32))
			}
			b.ReportMetric(bytesPerID(x), "bytes/id")
		})
		b.Run(fmt.Sprintf("first/%dM", ids/1_000_000), func(b *testing.B) { // at the limit, with evictions and sweeps
			b.ReportAllocs()
			n := x.Counts().First
			for b.Loop() {
				n++
				add(int(n))
			}
			b.ReportMetric(bytesPerID(x), "bytes/id")
		})
	}
}
