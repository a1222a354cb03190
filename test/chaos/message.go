//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// message is one message by its number. Its content depends only on the seed and the number, so that the checks need no
// copy of what was sent.
type message struct {
	seq   int
	name  name
	at    time.Time
	cents int
	user  string // external id, or ""
	email string // or ""
}

// name is an event's name with the influence that must result. sign is the sign of its revenue, 0 without revenue.
type name struct {
	kind, text, influence string
	sign                  int
}

var names = []name{
	{"track", "Order Completed", "positive", 1},
	{"track", "Signed Up", "positive", 0},
	{"track", "Product Viewed", "neutral", 0},
	{"track", "Payment Failed", "negative", 0},
	{"track", "Refund Issued", "negative", -1},
	{"page", "Pricing", "neutral", 0},
}

// users is the number of users: few enough that most blocks contain no new user and need no look-up. A user either
// always or never gives an address, so that attribution never rewrites events.
const users = 320

// Some events are in another month, so that a block becomes more than one part.
const (
	otherMonthEvery = 16
	otherMonth      = 45 * 24 * time.Hour
)

// timestampShift is the difference of the timestamps of a shifted duplicate.
const timestampShift = time.Minute

func messageOf(seed uint64, start time.Time, seq int) message {
	random := rand.New(rand.NewPCG(seed, uint64(seq)))
	m := message{
		seq: seq, name: names[random.IntN(len(names))], cents: 100 + random.IntN(99_900),
		at: start.Add(time.Duration(seq) * time.Millisecond),
	}
	if random.IntN(otherMonthEvery) == 0 {
		m.at = m.at.Add(-otherMonth)
	}
	switch u := random.IntN(users); u % 8 {
	case 0: // no user
	case 1:
		m.user = fmt.Sprintf("user-%d", u)
	case 2, 3:
		m.email = fmt.Sprintf("u%d@example.com", u)
	default:
		m.user, m.email = fmt.Sprintf("user-%d", u), fmt.Sprintf("u%d@example.com", u)
	}
	return m
}

// idPrefix is the prefix of every messageId of a run.
func idPrefix(seed uint64) string { return fmt.Sprintf("chaos-%d-", seed) }

// write appends the JSON of the message, with its timestamp shifted.
func (m *message) write(b *bytes.Buffer, seed uint64, shift time.Duration) {
	key := "event"
	if m.name.kind == "page" {
		key = "name"
	}
	fmt.Fprintf(b, `{"type":"%s","%s":"%s","messageId":"%s%d","timestamp":"%s"`, m.name.kind, key, m.name.text,
		idPrefix(seed), m.seq, m.at.Add(shift).UTC().Format("2006-01-02T15:04:05.000Z"))
	if m.user != "" {
		fmt.Fprintf(b, `,"userId":"%s"`, m.user)
	} else {
		b.WriteString(`,"anonymousId":null`)
	}
	if m.email != "" {
		fmt.Fprintf(b, `,"context":{"traits":{"email":"%s"}}`, m.email)
	}
	b.WriteString(`,"properties":{"plan":"pro"`)
	if m.name.sign != 0 {
		fmt.Fprintf(b, `,"revenue":%s,"currency":"EUR"`, m.revenue())
	}
	b.WriteString("}}")
}

func (m *message) revenue() string {
	sign := ""
	if m.name.sign < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%d.%02d", sign, m.cents/100, m.cents%100)
}

const null = `\N`

func orNull(s string) string {
	if s == "" {
		return null
	}
	return s
}

// columns are the columns of an outcome that are checked; row has the values that must result. Of the user they contain
// only whether there is one: a query compares the ids.
const columns = `substring(insert_id, 9), product_id, connection_id, toString(message_type), event_type,
	toString(influence), toDecimalString(value, 2), external_user_id, user_email, user_id IS NOT NULL,
	toUnixTimestamp64Milli(event_at)`

func (m *message) row(seed uint64, c *connection) string {
	value, known := null, "0"
	if m.name.sign != 0 {
		value = m.revenue()
	}
	if m.email != "" {
		known = "1"
	}
	return strings.Join([]string{
		idPrefix(seed) + strconv.Itoa(m.seq), c.product, c.id, m.name.kind, m.name.text, m.name.influence, value,
		orNull(m.user), orNull(m.email), known, strconv.FormatInt(m.at.UnixMilli(), 10),
	}, "\t")
}
