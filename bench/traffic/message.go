package traffic

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// Writer makes messages. It is not safe for concurrent use; all Writers with the same Config make the same messages.
type Writer struct {
	config   Config
	source   *rand.PCG
	random   *rand.Rand
	products *rand.Zipf
	users    *rand.Zipf
}

// New returns a Writer.
func New(c Config) *Writer {
	source := rand.NewPCG(c.Seed, 0)
	random := rand.New(source)
	return &Writer{
		config: c, source: source, random: random,
		products: rand.NewZipf(random, productSkew, 1, uint64(max(1, c.Products)-1)),
		users:    rand.NewZipf(random, userSkew, userOffset, uint64(max(1, c.Users)-1)),
	}
}

// Append appends message number n to b, and returns the number of its product.
func (w *Writer) Append(b []byte, n uint64) (message []byte, product int) {
	w.begin(n)
	product = w.product()
	message, _ = w.message(b, n)
	return message, product
}

// begin seeds the random numbers of message number n.
func (w *Writer) begin(n uint64) { w.source.Seed(w.config.Seed, n) }

func (w *Writer) product() int { return int(w.products.Uint64()) }

// stamps are the offsets of a message's id and time, which Body.Stamp replaces.
type stamps struct{ id, time int }

const (
	timeLayout = "2006-01-02T15:04:05.000Z"
	idDigits   = 32
)

func (w *Writer) message(b []byte, n uint64) ([]byte, stamps) {
	start := len(b)
	k := w.kind()
	user := w.users.Uint64()
	if w.config.Bytes > 0 && w.config.Bytes < MinStampableBytes {
		return w.small(b, n, user), stamps{}
	}
	b = append(b, `{"type":"`...)
	b = append(b, k.typ...)
	b = append(b, `","messageId":"`...)
	at := stamps{id: len(b) - start}
	b = appendID(b, w.config.Seed, n)
	b = append(b, `","timestamp":"`...)
	at.time = len(b) - start
	b = w.config.Start.Add(time.Duration(n)*w.config.Every).UTC().AppendFormat(b, timeLayout)
	b = append(b, '"')
	b = w.user(b, k, user)
	if w.config.Bytes > 0 {
		return w.padded(b, start, k), at
	}
	switch k.typ {
	case "track":
		b = text(b, "event", k.name)
	case "page":
		b = text(b, "name", k.name)
	}
	b = w.context(b, k, user)
	return append(w.properties(b, k, user), '}'), at
}

func (w *Writer) kind() *kind {
	for {
		k := &kinds[ofThousand[w.random.IntN(len(ofThousand))]]
		if !w.config.EventsOnly || k.shape < identify {
			return k
		}
	}
}

// appendID appends a unique id of 128 bits.
func appendID(b []byte, seed, n uint64) []byte { return hex(hex(b, seed), n) }

func hex(b []byte, v uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[v>>shift&15])
	}
	return b
}

// BrowserFactor times the number of a user is the anonymous id of the user's browser.
const BrowserFactor = 0x9e3779b97f4a7c15

// user appends a user id, or an anonymous id.
func (w *Writer) user(b []byte, k *kind, user uint64) []byte {
	if k.shape != identify && !k.server && w.random.IntN(5) == 0 {
		b = append(b, `,"anonymousId":"`...)
		return append(hex(b, user*BrowserFactor), '"')
	}
	b = append(b, `,"userId":"user_`...)
	return append(strconv.AppendUint(b, user, 10), '"')
}

// padded fills a message with random letters up to the configured size.
func (w *Writer) padded(b []byte, start int, k *kind) []byte {
	b = text(b, "event", k.name)
	b = append(b, `,"properties":{"x":"`...)
	for len(b)-start < w.config.Bytes-len(`"}}`) {
		b = append(b, byte('a'+w.random.IntN(26)))
	}
	return append(b, `"}}`...)
}

// small appends a message with only an id, a time, a user and an event, of exactly the configured size.
func (w *Writer) small(b []byte, n, user uint64) []byte {
	start := len(b)
	b = append(b, `{"type":"track","userId":"user_`...)
	b = strconv.AppendUint(b, user, 10)
	b = append(b, `","timestamp":`...)
	b = strconv.AppendInt(b, w.config.Start.Add(time.Duration(n)*w.config.Every).UnixMilli(), 10)
	b = append(b, `,"event":"E","messageId":"`...)
	b = strconv.AppendUint(b, n, 36)
	b = append(b, '.')
	for seed := w.config.Seed; len(b)-start < w.config.Bytes-len(`"}`); seed /= 36 {
		b = append(b, "0123456789abcdefghijklmnopqrstuvwxyz"[seed%36])
	}
	return append(b, `"}`...)
}

// hello appends a message of user n/2, alternately with the user id and the anonymous id.
func (w *Writer) hello(b []byte, n uint64) ([]byte, int) {
	user := n / 2
	b = append(b, `{"type":"track","event":"Hello","messageId":"hello-`...)
	b = appendID(b, w.config.Seed, n)
	b = append(b, `","timestamp":"`...)
	b = w.config.Start.Add(time.Duration(n)*w.config.Every).UTC().AppendFormat(b, timeLayout)
	b = append(b, '"')
	if n%2 == 0 {
		b = append(strconv.AppendUint(append(b, `,"userId":"user_`...), user, 10), '"')
	} else {
		b = append(hex(append(b, `,"anonymousId":"`...), user*BrowserFactor), '"')
	}
	b = append(b, `,"traits":{`...)
	return append(w.person(b, user), `}}`...), int(user % uint64(max(1, w.config.Products)))
}

// text appends a member to an object that has one.
func text(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, `":"`...)
	b = append(b, value...)
	return append(b, '"')
}

func oneOf(r *rand.Rand, of []string) string { return of[r.IntN(len(of))] }
