package traffic

import (
	"fmt"
	"time"
)

// Config describes the messages.
type Config struct {
	Seed       uint64
	Products   int           // number of products; their shares follow Zipf's law
	Users      int           // number of users, in all products together
	Bytes      int           // size of every message, at least MinBytes; 0 is realistic: 300 to 2,000, 730 on average
	EventsOnly bool          // no identify and group, which Segment's webhook drops
	Start      time.Time     // time of message 0
	Every      time.Duration // time between two messages
}

// MinBytes is the minimum of Config.Bytes. Messages below MinStampableBytes have short ids and no properties, so that a
// Body cannot give them new ids.
const (
	MinBytes          = 100
	MinStampableBytes = 200
)

// Default is the traffic of a medium-sized customer.
func Default(seed uint64) Config {
	return Config{
		Seed: seed, Products: 100, Users: 100_000,
		Start: time.Date(2026, 5, 18, 0, 0, 0, 0, time.UTC), Every: 10 * time.Millisecond,
	}
}

// Exponents of Zipf's law: the first of a hundred products has a quarter of all messages.
const (
	productSkew = 1.2
	userSkew    = 1.05
	userOffset  = 50 // limits the share of the most active users
)

// Product is the id of product number n.
func Product(n int) string { return fmt.Sprintf("product-%05d", n) }
