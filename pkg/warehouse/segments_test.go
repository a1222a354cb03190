package warehouse

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
)

// requireBytes compares what a column puts on the wire, by both ways, and has a checksum of.
func requireBytes(t *testing.T, want []byte, c column) {
	t.Helper()
	var encoded proto.Buffer
	c.EncodeColumn(&encoded)
	require.True(t, bytes.Equal(want, encoded.Buf))
	var sent bytes.Buffer
	w := proto.NewWriter(&sent, &proto.Buffer{})
	c.WriteColumn(w)
	_, err := w.Flush()
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, sent.Bytes()))
	h := xxhash.New()
	c.sum(h)
	require.Equal(t, xxhash.Sum64(want), h.Sum64())
	require.Equal(t, len(want), c.size())
}

func TestTextsOfAnySizeLieInSegments(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	sizes := []int{0, 0, 1, 127, 128, segmentSize/2 - 6, 1, segmentSize/2 - 5, segmentSize - 6, segmentSize - 5, 1, segmentSize - 4, segmentSize, 3 * segmentSize, 0, segmentSize + 1, 5}
	for range 20_000 {
		sizes = append(sizes, random.IntN(300))
	}
	var values [][]byte
	for i, size := range sizes {
		values = append(values, bytes.Repeat([]byte{byte(i)}, size))
	}
	wire := func(wanted func(row int) bool) (wire []byte) {
		for row, v := range values {
			if wanted(row) {
				wire = append(binary.AppendUvarint(wire, uint64(len(v))), v...)
			}
		}
		return wire
	}
	c := &text{}
	for range 2 { // the second time with what was given back
		c.reset()
		for _, v := range values {
			c.put(v)
		}
		require.Greater(t, c.count(), 20)
		requireBytes(t, wire(func(int) bool { return true }), c)
		row := 0
		c.each(func(v []byte) {
			require.True(t, bytes.Equal(values[row], v), "row %d", row)
			row++
		})
		require.Equal(t, len(values), row)
	}
	to := make([]int, len(values))
	for row := range to {
		to[row] = row%3 - 1
	}
	for part, scattered := range c.scatter(0, to, 2) {
		requireBytes(t, wire(func(row int) bool { return to[row] == part }), scattered)
	}
	c.become(c.scatter(0, to, 2)[1])
	requireBytes(t, wire(func(row int) bool { return to[row] == 1 }), c)
	c.put([]byte("more"))
	requireBytes(t, append(wire(func(row int) bool { return to[row] == 1 }), "\x04more"...), c)
}

func TestValuesOfEachWidthLieInSegments(t *testing.T) {
	for _, width := range []int{1, 4, 8, 16} {
		c := newFixed("any", width)
		var want []byte
		rows := 3*segmentSize/width + 1
		for range 2 { // the second time with what was given back
			c.reset()
			want = nil
			for row := range rows {
				switch width {
				case 1:
					c.put8(uint8(row))
				case 4:
					c.put32(uint32(row))
				case 8:
					c.put64(uint64(row))
				case 16:
					c.put128(uint64(row), uint64(row)<<32)
				}
				want = append(want, c.at(row)...)
			}
			require.Equal(t, rows, c.Rows())
			requireBytes(t, want, c)
		}
		for _, row := range []int{0, segmentSize/width - 1, segmentSize / width, rows - 1} {
			copy(c.at(row), bytes.Repeat([]byte{0xee}, width))
			copy(want[row*width:], bytes.Repeat([]byte{0xee}, width))
		}
		requireBytes(t, want, c)
		to := make([]int, rows)
		to[1], to[rows-1] = nowhere, nowhere
		requireBytes(t, append(want[:width:width], want[2*width:len(want)-width]...), c.scatter(0, to, 1)[0])
	}
}

func TestABlockIsFilledWithWhatAnotherHasHad(t *testing.T) {
	fill := func(append func(*mapping.Event, *Origin)) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		benchEvents(append)
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	others := fill(func(*mapping.Event, *Origin) {})
	one, another := NewEvents(), NewEvents()
	fill(one.Append)
	size := int64(one.Bytes())
	one.Reset()
	require.Less(t, fill(another.Append)-others, size/10) // what its columns begin with is small, and their own
}

// What is asked of a block's rows is asked of those beyond a column's first segment too.
func TestRowsBeyondTheFirstSegment(t *testing.T) {
	b := NewEvents()
	benchEvents(b.Append)
	require.Greater(t, benchRows, segmentSize)
	require.False(t, b.HasExternalConversations())
	e, o := plain, origin
	e.ExternalUserID, e.ExternalConversationID, e.InsertID = []byte("the last"), []byte("chat"), []byte("segment:last")
	o.Offset = 4711
	b.Append(&e, &o)
	last := b.Rows() - 1
	require.True(t, b.HasExternalConversations())
	b.SetUser(last, identity.UserID([]byte("w"), []byte("the last")))
	user, known := b.User(last)
	require.True(t, known)
	require.Equal(t, identity.UserID([]byte("w"), []byte("the last")), user)
	_, known = b.User(last - 1)
	require.False(t, known)
	s, p := b.EntityRows(), b.UserRows()
	for range b.Rows() {
		require.True(t, s.Next() && p.Next())
	}
	require.Equal(t, "the last", string(s.ExternalUserID))
	require.Equal(t, "the last", string(p.ExternalUserID))
	require.Equal(t, "chat", string(s.ExternalConversationID))
	require.False(t, s.Next() || p.Next())

	part := b.slice(last, last+1)
	require.Equal(t, 1, part.Rows())
	require.EqualValues(t, 4711, part.columns[slices.Index(part.names, "kafka_offset")].(*fixed).get64(0))

	marked := make([]bool, b.Rows())
	for row := range last {
		marked[row] = true
	}
	b.RemoveRows(marked)
	require.Equal(t, 1, b.Rows())
	require.EqualValues(t, 4711, b.Offset(0))
	user, _ = b.User(0)
	require.Equal(t, identity.UserID([]byte("w"), []byte("the last")), user)
}

func TestSpareSegmentsAreBounded(t *testing.T) {
	s := shelf{most: 2}
	for range 3 {
		s.give(make([]byte, 7, segmentSize))
	}
	s.give(make([]byte, 0, 100)) // of no use to others
	require.Len(t, s.segments, 2)
	for range 3 {
		segment := s.take()
		require.Empty(t, segment)
		require.Equal(t, segmentSize, cap(segment))
	}
	require.Empty(t, s.segments)
}
