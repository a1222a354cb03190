package traffic

import (
	"fmt"
	"time"
)

// Config says what is to be made.
type Config struct {
	Seed       uint64
	Products   int           // how many there are; their shares fall as Zipf's law says
	Hot        float64       // share of the messages that go to product 0 beside that, from 0 to 1
	Users      int           // how many there are, in all products together
	Bytes      int           // size of every message, at least LeastBytes; 0: as real ones are, 300 to 2,000, about 730 on average
	EventsOnly bool          // no identify and group, which Segment's webhook drops: for what would keep them
	Start      time.Time     // when message 0 happens
	Every      time.Duration // how much later each next one does
}

// LeastBytes is the smallest that Config.Bytes can ask for. Below RoomyBytes there is room for short ids and no properties only,
// which a Body cannot give new ones.
const (
	LeastBytes = 100
	RoomyBytes = 200
)

// Default is a middling customer's traffic.
func Default(seed uint64) Config {
	return Config{Seed: seed, Products: 100, Users: 100_000, Start: time.Date(2026, 5, 18, 0, 0, 0, 0, time.UTC), Every: 10 * time.Millisecond}
}

// Skews of Zipf's law: the first of a hundred products has a quarter of all messages.
const (
	productSkew = 1.2
	userSkew    = 1.05
	userOffset  = 50 // flattens the top: nobody does a tenth of all there is to do
)

// Product is the id of product number n.
func Product(n int) string { return fmt.Sprintf("product-%05d", n) }
