package dedup

import (
	"fmt"
	"hash/maphash"
	"time"
	"unsafe"
)

// minWindow keeps a generation at many milliseconds, the unit of received_at.
const minWindow = time.Second

// Config limits what an index remembers.
type Config struct {
	Window time.Duration // by received_at; at least a second
	MaxIDs int           // beyond this, the oldest ids are evicted early
}

// Validate checks the limits.
func (c *Config) Validate() error {
	if c.Window < minWindow {
		return fmt.Errorf("the deduplication window is %v, but must be at least %v", c.Window, minWindow)
	}
	if c.MaxIDs < 1 {
		return fmt.Errorf("the limit on ids is %d, but must be positive", c.MaxIDs)
	}
	return nil
}

// Result is what the index knows of an id.
type Result uint8

const (
	// First: not seen within the window. It is remembered now.
	First Result = iota
	// Same: seen with the same key time. Insert it: the table merges the duplicate.
	Same
	// Suspect: seen with another key time, or another id has the same fingerprint. The index keeps the first key time.
	// Look it up, then drop the row, or insert it and Admit it.
	Suspect
	// Old: not seen, and received before the window, so it is not remembered. It counts as a new event, unless the
	// caller looks it up, as in a replay.
	Old

	resultCount = iota
)

// Counts are totals since the index was created.
type Counts struct {
	First, Same, Suspect, Old uint64 // results of Add
	Admitted                  uint64 // ids that Admit added
	Evicted                   uint64 // ids dropped within the window because of MaxIDs
}

// Index holds the recent insert ids of one partition. It is not safe for concurrent use. The only pointers in it are
// the headers of its 256 slices.
type Index struct {
	products, ids maphash.Seed // random, so that no sender can choose ids that collide
	window        window
	results       [resultCount]uint64
	admitted      uint64
	shards        [shardCount]shard
}

// New returns an empty index, or the error of Validate.
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

// Add looks an id up and remembers it if it is new. keyTime is event_key_at and receivedAt received_at, both in Unix
// milliseconds. Neither slice is kept.
//
// The id that is added first counts as the first. So rows from ClickHouse are added by received_at, then offset. Rows
// in another order are found as well, but may be evicted together when MaxIDs is reached.
func (x *Index) Add(product, insertID []byte, keyTime, receivedAt int64) Result {
	return x.add(x.fingerprint(product, insertID), keyTime, receivedAt)
}

// Admit remembers a suspect as well: its look-up showed another id with the same fingerprint, or no row of the first.
// An id received before the window is not remembered.
func (x *Index) Admit(product, insertID []byte, keyTime, receivedAt int64) {
	x.admit(x.fingerprint(product, insertID), keyTime, receivedAt)
}

func (x *Index) add(fingerprint uint64, keyTime, receivedAt int64) Result {
	receivedAt = x.window.advance(receivedAt)
	result := x.shard(fingerprint).find(fingerprint, foldTime(keyTime))
	if result == First && !x.remember(fingerprint, keyTime, receivedAt) {
		result = Old
	}
	x.results[result]++
	return result
}

func (x *Index) admit(fingerprint uint64, keyTime, receivedAt int64) {
	receivedAt = x.window.clamp(receivedAt)
	known := x.shard(fingerprint).find(fingerprint, foldTime(keyTime)) == Same
	if !known && x.remember(fingerprint, keyTime, receivedAt) {
		x.admitted++
	}
}

// remember stores an id. It returns false if the id was received before the window.
func (x *Index) remember(fingerprint uint64, keyTime, receivedAt int64) bool {
	generation, within := x.window.assign(receivedAt)
	if within {
		// The shard is found after assign, which may drop one of its generations.
		x.shard(fingerprint).insert(fingerprint, foldTime(keyTime), generation)
	}
	return within
}

// shard returns the shard of a fingerprint, after removing dropped generations from it.
func (x *Index) shard(fingerprint uint64) *shard {
	s := &x.shards[fingerprint>>(64-shardBits)]
	if s.oldest != x.window.oldest {
		s.sweep(x.window.oldest)
	}
	return s
}

// fingerprint uses a seed for each part, so that equal bytes in different parts do not cancel out.
func (x *Index) fingerprint(product, insertID []byte) uint64 {
	return maphash.Bytes(x.products, product) + maphash.Bytes(x.ids, insertID)
}

// foldTime maps a time to 32 bits. Two different times in the same 2³² milliseconds (49 days) never collide, as they
// might with a hash.
func foldTime(t int64) uint32 {
	const odd = 0x9e3779b1
	return uint32(t) ^ uint32(t>>32)*odd
}

// Len returns the number of ids.
func (x *Index) Len() int { return x.window.ids }

// Bytes returns the memory in use, free slots included.
func (x *Index) Bytes() int {
	bytes := int(unsafe.Sizeof(*x))
	for i := range x.shards {
		bytes += cap(x.shards[i].slots) * slotBytes
	}
	return bytes
}

// Since returns how far back the index reaches, in Unix milliseconds: all added ids that were received after it are in
// the index. It is the window's length before Now unless MaxIDs was reached. Both are 0 before the first id.
func (x *Index) Since() int64 { return x.window.since }

// Now returns the greatest credible received_at so far, in Unix milliseconds.
func (x *Index) Now() int64 { return x.window.now }

// Counts returns the totals.
func (x *Index) Counts() Counts {
	return Counts{
		First: x.results[First], Same: x.results[Same], Suspect: x.results[Suspect], Old: x.results[Old],
		Admitted: x.admitted, Evicted: x.window.evicted,
	}
}
