package warehouse

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/scalar"
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

// BenchmarkInsert compares the ways to bring 100,000 events of all columns to ClickHouse: filled and
// sent. The rows that clickhouse-go boxes value by value are the usual way; its columns the way that
// its documentation recommends for bulk.
func BenchmarkInsert(b *testing.B) {
	_, config := migrated(b)
	b.Run("wire-columns", func(b *testing.B) {
		inserter, err := NewInserter(config)
		require.NoError(b, err)
		defer inserter.Close()
		block := NewEvents()
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			block.Reset()
			benchEvents(block.Append)
			require.NoError(b, inserter.Insert(b.Context(), block, fmt.Sprint(b.Name(), n)))
		}
		perSecond(b)
	})
	b.Run("clickhouse-go-columns", func(b *testing.B) { benchClickHouseGo(b, config, false) })
	b.Run("clickhouse-go-rows", func(b *testing.B) { benchClickHouseGo(b, config, true) })
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// goColumn is a column as a Go slice.
type goColumn struct {
	name  string
	add   func(*mapping.Event, *Origin)
	value func(*mapping.Event, *Origin) any
	slice func() any
	reset func()
}

func collect[T any](name string, get func(*mapping.Event, *Origin) T) goColumn {
	var values []T
	return goColumn{name,
		func(e *mapping.Event, o *Origin) { values = append(values, get(e, o)) },
		func(e *mapping.Event, o *Origin) any { return get(e, o) },
		func() any { return values },
		func() { values = values[:0] },
	}
}

func collectText(name string, get func(*mapping.Event, *Origin) []byte) goColumn {
	return collect(name, func(e *mapping.Event, o *Origin) string { return string(get(e, o)) })
}

func collectNullable(name string, get func(*mapping.Event) []byte) goColumn {
	return collect(name, func(e *mapping.Event, _ *Origin) *string {
		if v := get(e); v != nil {
			s := string(v)
			return &s
		}
		return nil
	})
}

func goColumns() []goColumn {
	return []goColumn{
		collectText("workspace_id", func(_ *mapping.Event, o *Origin) []byte { return o.Workspace }),
		collectText("product_id", func(_ *mapping.Event, o *Origin) []byte { return o.Product }),
		collectText("connection_id", func(_ *mapping.Event, o *Origin) []byte { return o.Connection }),
		collectText("source", func(_ *mapping.Event, o *Origin) []byte { return o.Provider }),
		collectText("insert_id", func(e *mapping.Event, _ *Origin) []byte { return e.InsertID }),
		collect("message_type", func(e *mapping.Event, _ *Origin) string { return e.MessageType.String() }),
		collectText("event_type", func(e *mapping.Event, _ *Origin) []byte { return e.EventType }),
		collectNullable("source_event", func(e *mapping.Event) []byte { return e.SourceEvent }),
		collect("event_at", func(e *mapping.Event, _ *Origin) time.Time { return time.UnixMilli(e.EventAt) }),
		collect("event_at_source", func(e *mapping.Event, _ *Origin) string { return e.EventAtSource.String() }),
		collect("event_key_at", func(e *mapping.Event, _ *Origin) time.Time { return time.UnixMilli(KeyTime(e)) }),
		collect("received_at", func(_ *mapping.Event, o *Origin) time.Time { return time.UnixMicro(o.ReceivedAt) }),
		collectNullable("external_user_id", func(e *mapping.Event) []byte { return e.ExternalUserID }),
		collectNullable("user_email", func(e *mapping.Event) []byte { return e.UserEmail }),
		collectNullable("user_name", func(e *mapping.Event) []byte { return e.UserName }),
		collectNullable("external_organization_id", func(e *mapping.Event) []byte { return e.ExternalOrganizationID }),
		collectNullable("organization_name", func(e *mapping.Event) []byte { return e.OrganizationName }),
		collectNullable("external_conversation_id", func(e *mapping.Event) []byte { return e.ExternalConversationID }),
		collect("influence", func(e *mapping.Event, _ *Origin) string { return e.Influence.String() }),
		collect("quality_impact_score", func(*mapping.Event, *Origin) *float64 { return nil }),
		collect("value", func(e *mapping.Event, _ *Origin) *decimal.Decimal {
			d := decimal.NewFromBigInt(new(big.Int).SetUint64(e.Value.Low), -scalar.DecimalScale)
			return &d
		}),
		collect("value_type", func(e *mapping.Event, _ *Origin) *string { s := e.ValueType.String(); return &s }),
		collectNullable("value_text", func(e *mapping.Event) []byte { return e.ValueText }),
		collectText("currency", func(e *mapping.Event, _ *Origin) []byte { return e.Currency }),
		collectText("properties", func(e *mapping.Event, _ *Origin) []byte { return e.Properties }),
		collect("kafka_topic", func(_ *mapping.Event, o *Origin) string { return o.Topic }),
		collect("kafka_partition", func(_ *mapping.Event, o *Origin) int32 { return o.Partition }),
		collect("kafka_offset", func(_ *mapping.Event, o *Origin) int64 { return o.Offset }),
		collect("version", func(_ *mapping.Event, o *Origin) uint64 { return Version(o.ReceivedAt) }),
	}
}

func benchClickHouseGo(b *testing.B, config Config, rows bool) {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{config.ClickHouse}, Auth: clickhouse.Auth{Database: config.Database}})
	require.NoError(b, err)
	defer conn.Close()
	columns := goColumns()
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	insert := "INSERT INTO events (" + strings.Join(names, ", ") + ")"
	values := make([]any, len(columns))
	b.ReportAllocs()
	for b.Loop() {
		batch, err := conn.PrepareBatch(b.Context(), insert)
		require.NoError(b, err)
		benchEvents(func(e *mapping.Event, o *Origin) {
			for i := range columns {
				if rows {
					values[i] = columns[i].value(e, o)
				} else {
					columns[i].add(e, o)
				}
			}
			if rows {
				require.NoError(b, batch.Append(values...))
			}
		})
		for i := range columns {
			if !rows {
				require.NoError(b, batch.Column(i).Append(columns[i].slice()))
				columns[i].reset()
			}
		}
		require.NoError(b, batch.Send())
	}
	perSecond(b)
}
