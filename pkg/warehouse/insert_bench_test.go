package warehouse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/column"
	"github.com/millrace/millrace/pkg/mapping"
)

const benchRows = 100_000

// benchEvents calls append with events that differ as real ones do: random ids, users by Zipf's law,
// amounts and paths of their own.
func benchEvents(append func(*mapping.Event, *Origin)) {
	random := rand.New(rand.NewPCG(1, 2))
	users := rand.NewZipf(random, 1.1, 10, 100_000)
	e, o := plain, origin
	e.HasValue, e.ValueType, e.Currency = true, mapping.Currency, []byte("USD")
	var id, user, email, name, amount, properties []byte
	for range benchRows {
		n := users.Uint64()
		cents := random.Uint64N(50_000)
		id = fmt.Appendf(id[:0], "segment:ajs-next-%016x%016x", random.Uint64(), random.Uint64())
		user, email, name = fmt.Appendf(user[:0], "user_%d", n), fmt.Appendf(email[:0], "user%d@example.com", n), fmt.Appendf(name[:0], "User Number %d", n)
		amount = fmt.Appendf(amount[:0], "%d.%02d", cents/100, cents%100)
		properties = fmt.Appendf(properties[:0], `{"revenue":%s,"currency":"USD","plan":"pro","order_id":"%x","products":[{"sku":"A-%d","price":19.5,"quantity":2},{"sku":"B-2","price":10}],"path":"/checkout/%d"}`, amount, random.Uint64(), cents%97, cents%13)
		e.InsertID, e.ExternalUserID, e.UserEmail, e.UserName = id, user, email, name
		e.EventAt += int64(random.Uint64N(20))
		e.EventType = eventTypes[cents%uint64(len(eventTypes))]
		e.SourceEvent, e.ValueText, e.Properties = e.EventType, amount, properties
		e.Value.High, e.Value.Low = 0, cents*1e16%1e19
		o.Offset++
		o.ReceivedAt += int64(random.Uint64N(20_000))
		append(&e, &o)
	}
}

var eventTypes = [][]byte{[]byte("Order Completed"), []byte("Signed Up"), []byte("Product Viewed"), []byte("page"), []byte("Trial Started")}

// BenchmarkInsert fills a block of 100,000 events and inserts it, with the columns of pkg/column and with those of
// ch-go, which leave out the three columns of nullable numbers. Measured on two cores shared with ClickHouse, medians of
// three runs: 294,000 against 218,000 rows/s, a ratio of 1.35; 1,694 against 1,967 ns of processor time per row, of
// which making up the events is a part in both; 15 against 47 MB of garbage per block. pkg/column stays because the
// ratio is above 1.1.
//
//	go test -run '^$' -bench Insert -benchtime 10x -count 3 -benchmem ./pkg/warehouse
func BenchmarkInsert(b *testing.B) {
	_, config := migrated(b)
	inserter, err := NewInserter(config)
	require.NoError(b, err)
	defer inserter.Close()
	b.Run("columns", func(b *testing.B) {
		block := NewEvents()
		defer clientTime(b)()
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			block.Reset()
			benchEvents(block.Append)
			require.NoError(b, inserter.Insert(b.Context(), block, fmt.Sprint(b.Name(), n)))
		}
		perSecond(b)
	})
	b.Run("ch-go-columns", func(b *testing.B) {
		block := newChGoEvents()
		pools, err := inserter.open(b.Context())
		require.NoError(b, err)
		insert := ch.Query{
			Body: "INSERT INTO events (" + strings.Join(block.names, ", ") + ") VALUES", Settings: insertSettings(""),
			Input: block.input,
		}
		defer clientTime(b)()
		b.ReportAllocs()
		for b.Loop() {
			block.input.Reset()
			benchEvents(block.append)
			_, err := pools[0].do(b.Context(), insert)
			require.NoError(b, err)
		}
		perSecond(b)
	})
}

// clientTime measures the processor time of this process, without ClickHouse's, until the returned function is called.
func clientTime(b *testing.B) func() {
	used := func() time.Duration {
		var r syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N*benchRows), "client-cpu-ns/row") }
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// chGoEvents holds the columns of events as ch-go has them.
type chGoEvents struct {
	row       eventRow
	names     []string
	input     proto.Input
	appenders []func(*eventRow)
}

// newChGoEvents makes ch-go's column for each declared one. The few columns that are not filled by a plain value stay
// null or 0: that is work that only pkg/column does.
func newChGoEvents() *chGoEvents {
	e := &chGoEvents{}
	ours := newRowBlock("events", eventColumns)
	add := func(c column.Column, theirs proto.ColInput, appendTo func(*eventRow)) {
		name := ours.names[slices.Index(ours.columns, c)]
		e.names, e.input = append(e.names, name), append(e.input, proto.InputColumn{Name: name, Data: theirs})
		e.appenders = append(e.appenders, appendTo)
	}
	for _, s := range ours.lowCardinalities {
		c := proto.NewLowCardinality(&proto.ColStr{})
		add(s.column, c, func(r *eventRow) { c.Append(string(s.get(r))) })
	}
	for _, s := range ours.texts {
		c := &proto.ColStr{}
		add(s.column, c, func(r *eventRow) { c.AppendBytes(s.get(r)) })
	}
	for _, s := range ours.nullableTexts {
		values := &proto.ColStr{}
		c := &proto.ColNullable[string]{Values: values}
		add(s.column, c, func(r *eventRow) {
			v := s.get(r)
			values.AppendBytes(v)
			if v == nil {
				c.Nulls.Append(1)
			} else {
				c.Nulls.Append(0)
			}
		})
	}
	for _, s := range ours.enums {
		c := &proto.ColEnum8{}
		add(s.column, proto.Alias(c, s.column.Type()), func(r *eventRow) { c.Append(proto.Enum8(s.get(r))) })
	}
	for _, s := range ours.int32s {
		c := &proto.ColInt32{}
		add(s.column, c, func(r *eventRow) { c.Append(s.get(r)) })
	}
	for _, s := range ours.int64s {
		c := &proto.ColInt64{}
		add(s.column, proto.Alias(c, s.column.Type()), func(r *eventRow) { c.Append(s.get(r)) })
	}
	return e
}

func (b *chGoEvents) append(e *mapping.Event, o *Origin) {
	b.row.Event, b.row.Origin, b.row.topic = e, o, append(b.row.topic[:0], o.Topic...)
	for _, appendTo := range b.appenders {
		appendTo(&b.row)
	}
}
