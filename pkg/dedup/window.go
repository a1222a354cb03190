package dedup

const (
	// timeParts: a generation ends when it covers one of so many parts of the window. With more parts, ids are
	// remembered less long after the window, and the table is swept more often.
	timeParts = 12
	// idParts: a generation also ends when it holds one of so many parts of MaxIDs. So many ids in a short time do not
	// evict the whole window when the limit is reached.
	idParts = 16
	// maxGenerations exceeds the 14 that time can open within a window plus the 16 that ids can fill.
	maxGenerations = 1 << generationBits
	generationBits = 5

	// minJumpVotes: time jumps ahead when ids from more than a generation ahead outnumber the others by so many. It is
	// more than a batch of the broker holds, because one edge with a wrong clock sends many in a row.
	minJumpVotes = 1 << 14

	// maxTime keeps sums of times from overflowing; 36 million years.
	maxTime = 1 << 60
)

// generation is a set of ids that are dropped together.
type generation struct {
	from int64 // an id belongs to the last generation whose from is not after it
	last int64 // the greatest received_at in it
	ids  int
}

// window holds the time of an index and its generations, numbered from 0 on. Those with oldest ≤ number < next are
// remembered; next - oldest ≤ maxGenerations.
type window struct {
	length int64 // ms
	part   int64 // ms: length / timeParts
	maxIDs int

	running      bool
	now          int64
	since        int64 // ids received before it are not remembered
	oldest, next uint64
	ring         [maxGenerations]generation
	ids          int
	evicted      uint64

	jumpVotes int    // ids from far ahead, less the ids near now
	jumpTo    int64  // their least time
	jumpFrom  uint64 // the newest generation at the first vote
}

func newWindow(length int64, maxIDs int) window {
	return window{length: length, part: length / timeParts, maxIDs: maxIDs}
}

func (w *window) at(number uint64) *generation { return &w.ring[number%maxGenerations] }

// advance moves time to the received_at of an id, and returns the time to remember the id by. One id moves time by at
// most a generation's length. An id from further ahead comes from a wrong clock, or after a long silence: it counts as
// received now, and as a vote for a jump. A late jump is harmless, because ids are remembered longer. A wrong jump
// would drop the whole window.
func (w *window) advance(t int64) int64 {
	t = min(max(t, -maxTime), maxTime)
	if !w.running {
		w.running, w.now, w.since = true, t, t-w.length
		return t
	}
	if t > w.now+w.part {
		w.vote(t)
		return min(t, w.now)
	}
	if t >= w.now-w.part && w.jumpVotes > 0 {
		w.jumpVotes--
	}
	if t > w.now {
		w.advanceTo(t)
	}
	return t
}

// clamp returns the time to remember an id by that was added before.
func (w *window) clamp(t int64) int64 { return min(max(t, -maxTime), w.now) }

func (w *window) vote(t int64) {
	if w.jumpVotes == 0 {
		w.jumpTo, w.jumpFrom = t, max(w.next, 1)-1
	}
	w.jumpTo = min(w.jumpTo, t)
	if w.jumpVotes++; w.jumpVotes < minJumpVotes {
		return
	}
	w.jumpVotes = 0
	// The ids that voted were remembered with earlier times. They must survive the jump.
	for number := max(w.jumpFrom, w.oldest); number < w.next; number++ {
		w.at(number).last = w.jumpTo
	}
	w.advanceTo(w.jumpTo)
}

// advanceTo sets the time and drops generations before the window.
func (w *window) advanceTo(t int64) {
	w.now = t
	w.since = max(w.since, t-w.length)
	for w.oldest < w.next && w.at(w.oldest).last < w.since {
		w.dropOldest()
	}
}

func (w *window) dropOldest() {
	w.ids -= w.at(w.oldest).ids
	w.oldest++
}

// evict drops the oldest generation, which is within the window.
func (w *window) evict() {
	oldest := w.at(w.oldest)
	w.evicted += uint64(oldest.ids)
	w.since = max(w.since, oldest.last)
	w.dropOldest()
}

// assign adds an id to a generation and returns its number. within is false if the id was received before the window.
func (w *window) assign(t int64) (number uint64, within bool) {
	if w.ids >= w.maxIDs {
		w.evict()
	}
	if t < w.since {
		return 0, false
	}
	number = w.find(t)
	g := w.at(number)
	g.last = max(g.last, t)
	g.ids++
	w.ids++
	return number, true
}

// find returns the generation of an id received within the window. If the newest generation has ended, the id opens a
// new one, whatever its time: a generation is never empty, so each eviction makes room. Another late id joins the
// generation of its time, or the oldest.
func (w *window) find(t int64) uint64 {
	if w.oldest == w.next || w.ended(w.at(w.next-1)) {
		return w.open()
	}
	number := w.next - 1
	for number > w.oldest && w.at(number).from > t {
		number--
	}
	return number
}

func (w *window) ended(newest *generation) bool {
	return newest.ids >= (w.maxIDs+idParts-1)/idParts || w.now-newest.from >= w.part
}

func (w *window) open() uint64 {
	if w.next-w.oldest == maxGenerations { // possible only after a jump, which prolongs generations
		w.evict()
	}
	*w.at(w.next) = generation{from: w.now, last: w.now}
	w.next++
	return w.next - 1
}
