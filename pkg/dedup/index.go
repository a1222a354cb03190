package dedup

import (
	"fmt"
	"hash/maphash"
	"time"
	"unsafe"
)

// minWindow keeps a generation at many milliseconds, the unit of received_at.
const minWindow = time.Second

// Config says how much an index remembers.
type Config struct {
	Window time.Duration // by received_at; a second at least
	MaxIDs int           // the oldest are forgotten early beyond this; see BytesPerID for what one costs
}

// Validate says what no index can be made from.
func (c *Config) Validate() error {
	if c.Window < minWindow {
		return fmt.Errorf("recent: the window is %v, it must be %v at least", c.Window, minWindow)
	}
	if c.MaxIDs < 1 {
		return fmt.Errorf("recent: the bound on ids is %d, it must be positive", c.MaxIDs)
	}
	return nil
}

// Verdict is what the index knows of an id.
type Verdict uint8

const (
	// First: not met within the window; noted now.
	First Verdict = iota
	// Same: met with the same key time; the table absorbs it, so insert it.
	Same
	// Suspect: met with another key time, or the fingerprints of two ids are one. Nothing was changed:
	// the index keeps what it had, the first. Verify, then drop the row, or insert it and Admit it.
	Suspect
	// Old: not met, and received before the window, so that it was not noted either. It counts as a new
	// event unless the caller, in a replay, would rather have the warehouse's word.
	Old

	verdicts = iota
)

// Counts are totals since the index was made.
type Counts struct {
	First, Same, Suspect, Old uint64 // answers of Add
	Admitted                  uint64 // ids that Admit noted
	Evicted                   uint64 // ids forgotten before their time because of MaxIDs
}

// Index holds the recent insert ids of one lane. One goroutine at a time may use it. Nothing in it has
// pointers for the garbage collector to follow but the headers of its 256 slices.
type Index struct {
	products, ids maphash.Seed // of this process: no sender can choose ids that collide
	window        window
	answers       [verdicts]uint64
	admitted      uint64
	shards        [shardCount]shard
}

// New makes an empty index.
func New(config Config) (*Index, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Index{
		products: maphash.MakeSeed(),
		ids:      maphash.MakeSeed(),
		window:   newWindow(config.Window.Milliseconds(), config.MaxIDs),
	}, nil
}

// Add looks an id up and notes it if it is new. keyTime is event_key_at and receivedAt received_at, both
// in Unix milliseconds. Neither slice is kept.
//
// The first id added counts as the first: whoever fills an index from stored rows adds them by
// received_at, then offset. Rows in another order are found just the same, but may be forgotten
// together when MaxIDs is reached.
func (x *Index) Add(product, insertID []byte, keyTime, receivedAt int64) Verdict {
	return x.add(x.fingerprint(product, insertID), keyTime, receivedAt)
}

// Admit notes an id beside those that it was suspected to be: after a suspect was found to be another id
// with the same fingerprint, or the first was found to have left no row. An id received before the window is not noted.
func (x *Index) Admit(product, insertID []byte, keyTime, receivedAt int64) {
	x.admit(x.fingerprint(product, insertID), keyTime, receivedAt)
}

func (x *Index) add(fingerprint uint64, keyTime, receivedAt int64) Verdict {
	receivedAt = x.window.advance(receivedAt)
	verdict := x.shard(fingerprint).find(fingerprint, foldTime(keyTime))
	if verdict == First && !x.note(fingerprint, keyTime, receivedAt) {
		verdict = Old
	}
	x.answers[verdict]++
	return verdict
}

func (x *Index) admit(fingerprint uint64, keyTime, receivedAt int64) {
	receivedAt = x.window.clamp(receivedAt)
	if x.shard(fingerprint).find(fingerprint, foldTime(keyTime)) != Same && x.note(fingerprint, keyTime, receivedAt) {
		x.admitted++
	}
}

// note stores an id unless it was received before the window.
func (x *Index) note(fingerprint uint64, keyTime, receivedAt int64) bool {
	generation, within := x.window.place(receivedAt)
	if within {
		x.shard(fingerprint).insert(fingerprint, foldTime(keyTime), generation) // place may have forgotten some of it
	}
	return within
}

// shard is the part of the table where a fingerprint belongs, free of forgotten generations.
func (x *Index) shard(fingerprint uint64) *shard {
	s := &x.shards[fingerprint>>(64-shardBits)]
	if s.oldest != x.window.oldest {
		s.sweep(x.window.oldest)
	}
	return s
}

// fingerprint has a seed for each part, so that what one has and the other lacks cannot cancel out.
func (x *Index) fingerprint(product, insertID []byte) uint64 {
	return maphash.Bytes(x.products, product) + maphash.Bytes(x.ids, insertID)
}

// foldTime tells any two times apart that fall into the same 2³² milliseconds (49 days), where a hash
// would take one pair in four billion for the same.
func foldTime(t int64) uint32 {
	const odd = 0x9e3779b1
	return uint32(t) ^ uint32(t>>32)*odd
}

// Len is the number of ids remembered.
func (x *Index) Len() int { return x.window.ids }

// Bytes is the memory held, free slots included.
func (x *Index) Bytes() int {
	bytes := int(unsafe.Sizeof(*x))
	for i := range x.shards {
		bytes += cap(x.shards[i].slots) * slotBytes
	}
	return bytes
}

// BytesPerID is the memory that an id costs now; 0 in an empty index.
func (x *Index) BytesPerID() float64 {
	if x.Len() == 0 {
		return 0
	}
	return float64(x.Bytes()) / float64(x.Len())
}

// Since is how far back the index reaches, in Unix milliseconds: each id added that was received after
// it is remembered. It is the window's length before Now unless MaxIDs was reached. Both are 0 before
// the first id.
func (x *Index) Since() int64 { return x.window.since }

// Now is the greatest received_at believed so far, in Unix milliseconds.
func (x *Index) Now() int64 { return x.window.now }

// Counts tells what the index has answered.
func (x *Index) Counts() Counts {
	return Counts{
		First: x.answers[First], Same: x.answers[Same], Suspect: x.answers[Suspect], Old: x.answers[Old],
		Admitted: x.admitted, Evicted: x.window.evicted,
	}
}
