//go:build linux

package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// fault is one fault of the plan.
type fault struct {
	at      time.Duration // after the start of the load
	kind    *kind
	target  int
	lasts   time.Duration
	variant int // of a broken link
	n       int // number in the log
}

// Time between faults, and between the last fault and the end.
const (
	minGap  = 500 * time.Millisecond
	meanGap = 4500 * time.Millisecond
	endGap  = 4 * time.Second
	// kafkaGap is the time that a cluster needs to recover: 9 s until it removes a node, and some to be in sync.
	kafkaGap = 20 * time.Second
)

// makePlan deals faults from a shuffled deck. A kind has as many cards as its weight. The first deck has one card of
// each kind, so that a short run has most kinds.
func makePlan(seed uint64, length time.Duration, kinds []kind) []fault {
	d := dealer{kinds: kinds, random: rand.New(rand.NewPCG(seed, 1<<62))}
	var plan []fault
	gap := func() time.Duration { return minGap + time.Duration(d.random.ExpFloat64()*float64(meanGap-minGap)) }
	for at := meanGap; at < length-endGap; at += gap() {
		k := d.deal(at)
		f := fault{
			at: at, kind: k, target: d.random.IntN(max(k.targets, 1)),
			variant: d.random.IntN(len(variants)), n: len(plan) + 1,
		}
		f.lasts = k.lasts.min + time.Duration(d.random.Int64N(int64(k.lasts.max-k.lasts.min)+1))
		plan = append(plan, f)
	}
	return plan
}

// dealer is the deck of faults.
type dealer struct {
	kinds   []kind
	random  *rand.Rand
	deck    []*kind
	decks   int
	brokers time.Duration // earliest time of the next fault of the brokers
}

// deal takes the first card whose fault may happen at the time: faults of the brokers keep their distance.
func (d *dealer) deal(at time.Duration) *kind {
	for {
		for i, k := range d.deck {
			if k.resource == kafkaResource && at < d.brokers {
				continue
			}
			if k.resource == kafkaResource {
				d.brokers = at + kafkaGap
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
