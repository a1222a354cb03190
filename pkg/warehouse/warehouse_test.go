package warehouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/mapping"
	"github.com/millrace/millrace/pkg/scalar"
)

var plain = mapping.Event{
	InsertID: []byte("segment:m1"), MessageID: []byte("m1"), MessageType: mapping.Track, EventType: []byte("Order Completed"),
	EventAt: 1779105600123, EventAtSource: mapping.FromTimestamp, Influence: mapping.Neutral, Properties: []byte("{}"),
}

var full = mapping.Event{
	InsertID: []byte("segment:m2"), MessageID: []byte("m2"), MessageType: mapping.Screen, EventType: []byte("Renamed"), SourceEvent: []byte(" Original "),
	EventAt: -2208988800000, EventAtSource: mapping.FromEdge,
	ExternalUserID: []byte("u"), UserEmail: []byte("a@b.c"), UserName: []byte("Ä"), ExternalOrganizationID: []byte("o"),
	OrganizationName: []byte("O"), ExternalConversationID: []byte("c"),
	Influence: mapping.Negative, Score: -0.7, HasScore: true,
	ValueType: mapping.Currency, HasValue: true, Value: scalar.Decimal{Low: 0x1fbc1c2b3a000000, High: -3}, ValueText: []byte("-$50"), Currency: []byte("USD"),
	Properties: []byte(`{"a":12345678901234567890,"a":"\u00e9" }`),
}

var origin = Origin{
	Workspace: []byte("w"), Product: []byte("p"), Connection: []byte("c"), Provider: []byte("segment"),
	ReceivedAt: 1779105600123456, Topic: "millrace.ingest", Partition: 3, Offset: 1 << 40,
}

func insert(t testing.TB, config Config, b Block, token string) {
	t.Helper()
	inserter, err := NewInserter(config)
	require.NoError(t, err)
	defer inserter.Close()
	require.NoError(t, inserter.Insert(t.Context(), b, token))
}

func TestMigrate_Twice_ChangesNothing(t *testing.T) {
	_, config := migrated(t)
	applied, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, applied)
}

func TestEvents_Insert_KeepsEveryField(t *testing.T) {
	for _, compression := range []string{"none", "lz4", "zstd"} {
		db, config := migrated(t)
		config.Compression = compression
		b := NewEvents()
		b.Append(&plain, &origin)
		b.Append(&full, &origin)
		insert(t, config, b, "t")
		got := db.Exec(t, "SELECT message_id, * FROM events ORDER BY insert_id FORMAT TSVWithNames")
		require.Equal(t, strings.Join([]string{
			"message_id	workspace_id	product_id	connection_id	source	insert_id	message_type	event_type	source_event	event_at	event_at_source	event_key_at	received_at	external_user_id	user_id	user_email	user_name	external_organization_id	organization_id	organization_name	external_conversation_id	conversation_id	influence	quality_impact_score	value	value_type	value_text	currency	properties	kafka_topic	kafka_partition	kafka_offset	version",
			`m1	w	p	c	segment	segment:m1	track	Order Completed	\N	2026-05-18 12:00:00.123	timestamp	2026-05-18 12:00:00.123	2026-05-18 12:00:00.123	\N	\N	\N	\N	\N	\N	\N	\N	\N	neutral	\N	\N	\N	\N		{}	millrace.ingest	3	1099511627776	2050531013561791`,
			`m2	w	p	c	segment	segment:m2	screen	Renamed	 Original 	1900-01-01 00:00:00.000	edge	1970-01-01 00:00:00.000	2026-05-18 12:00:00.123	u	\N	a@b.c	Ä	o	\N	O	c	\N	negative	-0.7	` + full.Value.String() + `	currency	-$50	USD	{"a":12345678901234567890,"a":"\\u00e9" }	millrace.ingest	3	1099511627776	2050531013561791`,
		}, "\n"), strings.TrimSpace(got))
	}
}

func TestEvents_NoMessageID_IsNull(t *testing.T) {
	db, config := migrated(t)
	b := NewEvents()
	sum := strings.Repeat("0f", 32)
	for _, id := range []string{"api:c", "api:sha256:" + sum, "other:sha256:" + sum, "segment:a:b", "segment:sha256:" + sum, "segment:sha256:short"} {
		e := plain
		e.InsertID = []byte(id)
		b.Append(&e, &origin)
	}
	insert(t, config, b, "t")
	require.Equal(t, "c\n\\N\nsha256:"+sum+"\na:b\n\\N\nsha256:short", db.Exec(t, "SELECT message_id FROM outcomes ORDER BY insert_id FORMAT TSV"))
}

// The block is made with the code's enumerations, and read through a view made by a migration.
func TestEvents_EachEnumValue_IsStored(t *testing.T) {
	db, config := migrated(t)
	b := NewEvents()
	var want []string
	add := func(e mapping.Event, as string) {
		e.InsertID = fmt.Appendf(nil, "x:%02d", len(want))
		b.Append(&e, &origin)
		want = append(want, as)
	}
	for i, name := range messageTypes {
		e := plain
		e.MessageType = mapping.MessageType(i + 1)
		add(e, name.String()+"\ttimestamp")
	}
	for i, name := range timeSources {
		e := plain
		e.EventAtSource = mapping.TimeSource(i + 1)
		add(e, "track\t"+name.String())
	}
	insert(t, config, b, "t")
	require.Equal(t, strings.Join(want, "\n"), db.Exec(t, "SELECT message_type, event_at_source FROM outcomes ORDER BY insert_id FORMAT TSV"))
}

func TestEvents_SeveralDeliveries_FirstCounts(t *testing.T) {
	db, config := migrated(t)
	for i, receivedAt := range []int64{200, 100, 300} {
		b := NewEvents()
		e, o := plain, origin
		e.Properties = fmt.Appendf(nil, `{"delivery":%d}`, receivedAt)
		o.ReceivedAt += receivedAt
		b.Append(&e, &o)
		insert(t, config, b, fmt.Sprint(i))
	}
	require.Equal(t, "{\"delivery\":100}", db.Exec(t, "SELECT properties FROM outcomes FORMAT TSV"))
	db.Exec(t, "OPTIMIZE TABLE events FINAL")
	require.Equal(t, "{\"delivery\":100}", db.Exec(t, "SELECT properties FROM events FORMAT TSV"))
}

func TestVersion(t *testing.T) {
	at := time.Date(2026, 5, 18, 12, 0, 0, 0, time.UTC).UnixMicro()
	require.Greater(t, Version(at), Version(at+1))
	require.Equal(t, uint64(1<<versionBits-1), Version(0), "a clock before 2020 does not overflow into the revisions")
	require.Zero(t, Version(1<<62))
}

// A block is written once however often it is sent under its token, also when it spans months: that is
// what makes an insert whose answer was lost safe to repeat.
func TestInsert_SameToken_IsWrittenOnce(t *testing.T) {
	db, config := migrated(t)
	b := NewEvents()
	for month := range 300 { // three times ClickHouse's limit of partitions in a block
		e := plain
		e.EventAt = time.Date(2001, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
		e.InsertID = fmt.Appendf(nil, "segment:%d", month)
		b.Append(&e, &origin)
	}
	insert(t, config, b, "the range")
	insert(t, config, b, "the range")
	require.Equal(t, "300\t300", db.Exec(t, "SELECT count(), uniqExact(toYYYYMM(event_key_at)) FROM events FORMAT TSV"))
	insert(t, config, b, "another range")
	require.Equal(t, "600", db.Exec(t, "SELECT count() FROM events FORMAT TSV"), "the control: it is the token that makes the difference")
	require.Equal(t, "300", db.Exec(t, "SELECT count() FROM outcomes FORMAT TSV"))
}

func TestEvents_ManyDistinctValues_AreStored(t *testing.T) {
	for _, distinct := range []int{1, 255, 256, 257, 65536, 65600} {
		db, config := migrated(t)
		b := NewEvents()
		for i := range distinct + 10 {
			e := plain
			e.InsertID = fmt.Appendf(nil, "segment:%06d", i)
			e.EventType = fmt.Appendf(nil, "event %d", i%distinct)
			if i%2 == 0 {
				e.SourceEvent = e.EventType
			}
			b.Append(&e, &origin)
		}
		insert(t, config, b, "t")
		got := db.Exec(t, fmt.Sprintf(`SELECT count(), uniqExact(event_type), countIf(event_type != 'event ' || toString(toUInt32(message_id) %% %d)),
			countIf(source_event IS NULL), countIf(source_event != event_type) FROM events FORMAT TSV`, distinct))
		require.Equal(t, fmt.Sprintf("%d\t%d\t0\t%d\t0", distinct+10, distinct, (distinct+10)/2), got)
	}
}

func TestEvents_Reset_RemovesRows(t *testing.T) {
	db, config := migrated(t)
	b := NewEvents()
	b.Append(&full, &origin)
	b.Reset()
	require.Zero(t, b.Rows())
	b.Append(&plain, &origin)
	insert(t, config, b, "t")
	require.Equal(t, "Order Completed\t\\N", db.Exec(t, "SELECT event_type, source_event FROM events FORMAT TSV"))
}

func TestDeadLetters_Insert_KeepsEveryField(t *testing.T) {
	db, config := migrated(t)
	b := NewDeadLetters()
	b.Append(&DeadLetter{Origin: origin, Reason: []byte("missing_event"), Detail: []byte("why"), OriginalRecord: []byte("t/1/2"), Message: []byte(`{"type":"track"}`), Context: []byte(`{}`)})
	insert(t, config, b, "t")
	require.Equal(t, "w\tp\tc\tsegment\t2026-05-18 12:00:00.123\tmissing_event\twhy\t{\"type\":\"track\"}\t{}\tt/1/2\tmillrace.ingest\t3\t1099511627776",
		db.Exec(t, "SELECT * FROM dead_letters FORMAT TSV"))
}

func TestInsert_MissingTable_FailsThenRecovers(t *testing.T) {
	db, config := migrated(t)
	inserter, err := NewInserter(config)
	require.NoError(t, err)
	defer inserter.Close()
	b := NewEvents()
	b.Append(&plain, &origin)
	db.Exec(t, "RENAME TABLE events TO elsewhere")
	require.ErrorContains(t, inserter.Insert(t.Context(), b, "t"), "insert 1 rows into events")
	db.Exec(t, "RENAME TABLE elsewhere TO events")
	require.NoError(t, inserter.Insert(t.Context(), b, "t"))
}

func TestEvents_Append_DoesNotAllocatePerRow(t *testing.T) {
	b := NewEvents()
	fill := func() {
		b.Reset()
		for range 100 {
			b.Append(&plain, &origin)
			b.Append(&full, &origin)
		}
	}
	fill()
	// Each reset forgets the dictionaries, so their few values are learned again: per block, not per row.
	require.LessOrEqual(t, testing.AllocsPerRun(10, fill), 20.0)
}

// The sum stands in the token: the same offsets with other rows in them are another block.
func TestChecksum_ChangedRow_Differs(t *testing.T) {
	sum := func(edit func(*mapping.Event)) uint64 {
		b := NewEvents()
		e := full
		edit(&e)
		b.Append(&plain, &origin)
		b.Append(&e, &origin)
		return b.Checksum()
	}
	same := sum(func(*mapping.Event) {})
	require.Equal(t, same, sum(func(*mapping.Event) {}))
	for _, edit := range []func(*mapping.Event){
		func(e *mapping.Event) { e.InsertID = []byte("segment:m3") }, func(e *mapping.Event) { e.Influence = mapping.Positive },
		func(e *mapping.Event) { e.UserEmail = nil }, func(e *mapping.Event) { e.EventType = []byte("Other") }, func(e *mapping.Event) { e.EventAt++ },
	} {
		require.NotEqual(t, same, sum(edit))
	}
}

func TestKeyTime_SourcesThatDuplicatesShare(t *testing.T) {
	for source, inKey := range map[mapping.TimeSource]bool{
		mapping.FromTimestamp: true, mapping.FromOriginalTimestamp: true, mapping.FromEventAt: true,
		mapping.FromSentAt: false, mapping.FromReceivedAt: false, mapping.FromEdge: false,
	} {
		require.Equal(t, inKey, KeyTime(&mapping.Event{EventAt: 5, EventAtSource: source}) == 5, source)
	}
}
