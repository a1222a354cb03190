package column

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// requireBytes compares the encoded bytes of a column, written in both ways, its checksum and its size.
func requireBytes(t *testing.T, want []byte, c Column) {
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
	c.Checksum(h)
	require.Equal(t, xxhash.Sum64(want), h.Sum64())
	require.Equal(t, len(want), c.Size())
}

func TestString_AnySize_SurvivesPagesPartitionAndReplace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	sizes := []int{
		0, 0, 1, 127, 128, pageSize/2 - 6, 1, pageSize/2 - 5, pageSize - 6, pageSize - 5,
		1, pageSize - 4, pageSize, 3 * pageSize, 0, pageSize + 1, 5,
	}
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
	c := &String{}
	for range 2 { // the second time with pages from the pool
		c.Reset()
		for _, v := range values {
			c.Append(v)
		}
		require.Greater(t, c.pageCount(), 20)
		requireBytes(t, wire(func(int) bool { return true }), c)
		row := 0
		c.EachKey(func(v []byte) {
			require.True(t, bytes.Equal(values[row], v), "row %d", row)
			row++
		})
		require.Equal(t, len(values), row)
	}
	to := make([]int, len(values))
	for row := range to {
		to[row] = row%3 - 1
	}
	for part, copied := range c.Partition(0, to, 2) {
		requireBytes(t, wire(func(row int) bool { return to[row] == part }), copied)
	}
	c.ReplaceWith(c.Partition(0, to, 2)[1])
	requireBytes(t, wire(func(row int) bool { return to[row] == 1 }), c)
	c.Append([]byte("more"))
	requireBytes(t, append(wire(func(row int) bool { return to[row] == 1 }), "\x04more"...), c)
}

func TestFixed_EachWidth_SurvivesPagesPartitionAndChanges(t *testing.T) {
	for _, width := range []int{1, 4, 8, 16} {
		c := NewFixed("any", width)
		var want []byte
		rows := 3*pageSize/width + 1
		for range 2 { // the second time with pages from the pool
			c.Reset()
			want = nil
			for row := range rows {
				switch width {
				case 1:
					c.Append8(uint8(row))
				case 4:
					c.Append32(uint32(row))
				case 8:
					c.Append64(uint64(row))
				case 16:
					c.Append128(uint64(row), uint64(row)<<32)
				}
				want = append(want, c.bytes(row)...)
			}
			require.Equal(t, rows, c.Rows())
			requireBytes(t, want, c)
		}
		for _, row := range []int{0, pageSize/width - 1, pageSize / width, rows - 1} {
			copy(c.bytes(row), bytes.Repeat([]byte{0xee}, width))
			copy(want[row*width:], bytes.Repeat([]byte{0xee}, width))
		}
		requireBytes(t, want, c)
		to := make([]int, rows)
		to[1], to[rows-1] = Dropped, Dropped
		requireBytes(t, append(want[:width:width], want[2*width:len(want)-width]...), c.Partition(0, to, 1)[0])
	}
}

func TestBufferPool_MoreThanLimit_KeepsLimit(t *testing.T) {
	p := bufferPool{limit: 2}
	for range 3 {
		p.put(make([]byte, 7, pageSize))
	}
	p.put(make([]byte, 0, 100)) // of another size
	require.Len(t, p.free, 2)
	for range 3 {
		page := p.get()
		require.Empty(t, page)
		require.Equal(t, pageSize, cap(page))
	}
	require.Empty(t, p.free)
}

// The encodings that the doc comments show, against the columns of ch-go.
func TestColumns_EncodeAsChGo(t *testing.T) {
	id := uuid.MustParse("00112233-4455-6677-8899-aabbccddeeff")
	ids := NewFixed("UUID", 16)
	ids.AppendUUID(id)
	nulls := NewNullable(&String{})
	AppendNullableString(nulls, []byte("ab"))
	AppendNullableString(nulls, nil)
	times := NewTimedString()
	times.Append(1, []byte("a"))
	times.Append(2, nil)
	for name, c := range map[string]struct {
		ours   Column
		theirs proto.ColInput
	}{
		"UUID":     {ids, &proto.ColUUID{id}},
		"Nullable": {nulls, proto.NewColNullable(proto.ColumnOf[string](&proto.ColStr{}))},
		"Tuple":    {times, proto.ColTuple{&proto.ColInt64{1, 2}, stringsOf("a", "")}},
	} {
		if n, ok := c.theirs.(*proto.ColNullable[string]); ok {
			n.Append(proto.NewNullable("ab"))
			n.Append(proto.Null[string]())
		}
		var want proto.Buffer
		c.theirs.EncodeColumn(&want)
		requireBytes(t, want.Buf, c.ours)
		require.Equal(t, c.theirs.Type(), c.ours.Type(), name)
	}
}

func TestLowCardinality_EncodesAsChGo(t *testing.T) {
	for _, distinct := range []int{1, 256, 257, 65537} {
		ours, theirs := NewLowCardinality(false), proto.NewLowCardinality(stringsOf())
		for i := range distinct + 10 {
			value := strconv.Itoa(i % distinct)
			ours.Append([]byte(value))
			theirs.Append(value)
		}
		require.NoError(t, ours.Prepare())
		require.NoError(t, theirs.Prepare())
		var got, want proto.Buffer
		ours.EncodeState(&got)
		ours.EncodeColumn(&got)
		theirs.EncodeState(&want)
		theirs.EncodeColumn(&want)
		require.True(t, bytes.Equal(want.Buf, got.Buf), "%d distinct values", distinct)
		require.Equal(t, theirs.Type(), ours.Type())
	}
}

func stringsOf(values ...string) *proto.ColStr {
	c := &proto.ColStr{}
	c.AppendArr(values)
	return c
}
