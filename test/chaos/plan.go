//go:build linux

package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// fault is one line of the plan.
type fault struct {
	at      time.Duration // after the start of the load
	kind    *kind
	target  int
	lasts   time.Duration
	variant int // of kinds that have some
	n       int // its number in the log
}

// How far faults are apart, and how long before the end the last one comes.
const (
	leastGap = 500 * time.Millisecond
	meanGap  = 4500 * time.Millisecond
	calm     = 4 * time.Second
	// A cluster needs this long to be what it was before: 9 s until it has given a node up, and some to be in sync.
	brokersGap = 20 * time.Second
)

// makePlan deals faults from a shuffled deck, in which a kind has as many cards as it has weight: the first
// deck has one of each, so that a short run meets most.
func makePlan(seed uint64, length time.Duration, kinds []kind) []fault {
	d := dealer{kinds: kinds, random: rand.New(rand.NewPCG(seed, 1<<62))}
	var plan []fault
	for at := meanGap; at < length-calm; at += leastGap + time.Duration(d.random.ExpFloat64()*float64(meanGap-leastGap)) {
		k := d.deal(at)
		f := fault{at: at, kind: k, target: d.random.IntN(max(k.targets, 1)), variant: d.random.IntN(len(variants)), n: len(plan) + 1}
		f.lasts = k.least + time.Duration(d.random.Int64N(int64(k.most-k.least)+1))
		plan = append(plan, f)
	}
	return plan
}

// dealer has the deck.
type dealer struct {
	kinds   []kind
	random  *rand.Rand
	deck    []*kind
	decks   int
	brokers time.Duration // when the next fault of the brokers may come
}

// deal takes the first card that may come at that time; the brokers' wait for theirs.
func (d *dealer) deal(at time.Duration) *kind {
	for {
		for i, k := range d.deck {
			if k.busy == "kafka" && at < d.brokers {
				continue
			}
			if k.busy == "kafka" {
				d.brokers = at + brokersGap
			}
			d.deck = slices.Delete(d.deck, i, i+1)
			return k
		}
		d.shuffle()
	}
}

func (d *dealer) shuffle() {
	var deck []*kind
	for i := range d.kinds {
		for range d.kinds[i].weight {
			deck = append(deck, &d.kinds[i])
			if d.decks == 0 {
				break
			}
		}
	}
	d.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	d.deck = append(d.deck, deck...)
	d.decks++
}
