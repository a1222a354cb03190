package dedup

const (
	// timeParts: a generation ends when it covers this part of the window. More parts remember less
	// beyond the window, and sweep the table more often.
	timeParts = 12
	// idParts: a generation also ends when it holds this part of MaxIDs, so that a flood within one
	// generation's time does not cost the whole window when the bound is reached.
	idParts = 16
	// maxGenerations is over the 14 that time can open within a window plus the 16 that ids can fill.
	maxGenerations = 1 << generationBits
	generationBits = 5

	// leapVotes is by how many the ids from beyond a generation's length ahead must outnumber those near
	// now until they are believed: more than any broker batch holds, as one edge with a wrong clock sends
	// many in a row.
	leapVotes = 1 << 14

	// maxTime keeps sums of times from overflowing; 36 million years.
	maxTime = 1 << 60
)

// generation is a run of ids that is forgotten as a whole.
type generation struct {
	from int64 // an id belongs to the last generation that begins no later than it
	last int64 // the greatest received_at in it
	ids  int
}

// window is an index's time and its generations, numbered from 0 on: oldest ≤ number < next are
// remembered, next - oldest ≤ maxGenerations.
type window struct {
	length int64 // ms
	part   int64 // ms: length / timeParts
	maxIDs int

	running      bool
	now          int64
	since        int64 // ids received before it are not noted
	oldest, next uint64
	ring         [maxGenerations]generation
	ids          int
	evicted      uint64

	votes int    // for a leap to
	leap  int64  // the least of the times that voted
	voted uint64 // the newest generation when the voting began
}

func newWindow(length int64, maxIDs int) window {
	return window{length: length, part: length / timeParts, maxIDs: maxIDs}
}

func (w *window) at(number uint64) *generation { return &w.ring[number%maxGenerations] }

// advance moves time on to an id's received_at and returns the time to note it under. One id moves it by a
// generation's length at most: one that claims to come from further ahead has a wrong clock, or follows
// a long silence. It counts as received now, and only votes. To doubt too long is harmless: ids are
// remembered longer. To believe too soon would forget the window.
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
	if t >= w.now-w.part && w.votes > 0 {
		w.votes--
	}
	if t > w.now {
		w.move(t)
	}
	return t
}

// clamp is the time to note an id under that has been added before.
func (w *window) clamp(t int64) int64 { return min(max(t, -maxTime), w.now) }

func (w *window) vote(t int64) {
	if w.votes == 0 {
		w.leap, w.voted = t, max(w.next, 1)-1
	}
	w.leap = min(w.leap, t)
	if w.votes++; w.votes < leapVotes {
		return
	}
	w.votes = 0
	// The voters were noted as received before the leap. They were not, and must outlive it.
	for number := max(w.voted, w.oldest); number < w.next; number++ {
		w.at(number).last = w.leap
	}
	w.move(w.leap)
}

// move sets the time and forgets what is older than the window.
func (w *window) move(t int64) {
	w.now = t
	w.since = max(w.since, t-w.length)
	for w.oldest < w.next && w.at(w.oldest).last < w.since {
		w.forget()
	}
}

func (w *window) forget() {
	w.ids -= w.at(w.oldest).ids
	w.oldest++
}

// evict forgets the oldest generation before its time.
func (w *window) evict() {
	oldest := w.at(w.oldest)
	w.evicted += uint64(oldest.ids)
	w.since = max(w.since, oldest.last)
	w.forget()
}

// place counts an id in and returns its generation's number; false if it was received before the
// window.
func (w *window) place(t int64) (number uint64, within bool) {
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

// find returns the generation for an id received within the window: a new one if the newest has ended.
// It is opened for its first id, whenever that was received, as to evict an empty one would make no room.
// Other ids that come late join the generation of their time, or the oldest if there is none.
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
	if w.next-w.oldest == maxGenerations { // only after a leap, which prolongs what the voters joined
		w.evict()
	}
	*w.at(w.next) = generation{from: w.now, last: w.now}
	w.next++
	return w.next - 1
}
