package warehouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/pkg/column"
	"github.com/millrace/millrace/pkg/identity"
)

// columnOf declares one column of a table whose rows come from values of type R.
type columnOf[R any] struct {
	name string
	add  func(*rowBlock[R]) column.Column // adds the empty column, and how a row fills it
}

// rowBlock is a block whose columns are declared in a list of columnOf. Columns of one kind are filled together, so
// that a value costs one indirect call: see BenchmarkAppend.
type rowBlock[R any] struct {
	block
	lowCardinalities []source[R, *column.LowCardinality, []byte]
	texts            []source[R, *column.String, []byte]
	nullableTexts    []source[R, *column.NullableString, []byte]
	enums            []source[R, *column.Fixed, uint8]
	int32s           []source[R, *column.Fixed, int32]
	int64s           []source[R, *column.Fixed, int64]
	others           []func(*R)
}

// source says which value of a row goes to a column.
type source[R any, C column.Column, V any] struct {
	column C
	get    func(*R) V
}

func newRowBlock[R any](table string, columns []columnOf[R]) rowBlock[R] {
	b := rowBlock[R]{block: block{table: table}}
	for _, declared := range columns {
		b.names, b.columns = append(b.names, declared.name), append(b.columns, declared.add(&b))
	}
	return b
}

// Append adds a row. The values are copied.
func (b *rowBlock[R]) Append(r *R) {
	for i := range b.lowCardinalities {
		b.lowCardinalities[i].column.Append(b.lowCardinalities[i].get(r))
	}
	for i := range b.texts {
		b.texts[i].column.Append(b.texts[i].get(r))
	}
	for i := range b.nullableTexts {
		column.AppendNullableString(b.nullableTexts[i].column, b.nullableTexts[i].get(r))
	}
	for i := range b.enums {
		b.enums[i].column.Append8(b.enums[i].get(r))
	}
	for i := range b.int32s {
		b.int32s[i].column.Append32(uint32(b.int32s[i].get(r)))
	}
	for i := range b.int64s {
		b.int64s[i].column.Append64(uint64(b.int64s[i].get(r)))
	}
	for _, appendTo := range b.others {
		appendTo(r)
	}
}

// columnNamed returns a column of a block, to read rows back. It panics if the block has no such column.
func columnNamed[C column.Column](b *block, name string) C {
	return b.columns[slices.Index(b.names, name)].(C)
}

// The kinds of columns. Each get returns the value of a row; byte slices are copied.

func lowCardinality[R any](name string, get func(*R) []byte) columnOf[R] {
	return lowCardinalityOf(name, false, get)
}

// nullableLowCardinality appends nil as null.
func nullableLowCardinality[R any](name string, get func(*R) []byte) columnOf[R] {
	return lowCardinalityOf(name, true, get)
}

func lowCardinalityOf[R any](name string, nullable bool, get func(*R) []byte) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column {
		return fill(&b.lowCardinalities, column.NewLowCardinality(nullable), get)
	}}
}

func text[R any](name string, get func(*R) []byte) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column { return fill(&b.texts, &column.String{}, get) }}
}

// nullableText appends nil as null.
func nullableText[R any](name string, get func(*R) []byte) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column {
		return fill(&b.nullableTexts, column.NewNullable(&column.String{}), get)
	}}
}

func enum[R any](name string, names []fmt.Stringer, get func(*R) uint8) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column {
		return fill(&b.enums, column.NewFixed(enumType(names), 1), get)
	}}
}

func int32s[R any](name string, get func(*R) int32) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column {
		return fill(&b.int32s, column.NewFixed("Int32", 4), get)
	}}
}

// int64s is a column of a type of 64 bits: the values are the bits.
func int64s[R any](name, kind string, get func(*R) int64) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column {
		return fill(&b.int64s, column.NewFixed(kind, 8), get)
	}}
}

// Types of 64 bits.
const (
	signed       = "Int64"
	unsigned     = "UInt64"
	milliseconds = "DateTime64(3, 'UTC')" // since 1970
	microseconds = "DateTime64(6, 'UTC')"
)

// fill adds a column to the columns of its kind.
func fill[R any, C column.Column, V any](kind *[]source[R, C, V], c C, get func(*R) V) column.Column {
	*kind = append(*kind, source[R, C, V]{c, get})
	return c
}

func timedText[R any](name string, get func(*R) *identity.Timestamped) columnOf[R] {
	return other(name, column.NewTimedString, func(c *column.TimedString, r *R) {
		v := get(r)
		c.Append(v.At, v.Text)
	})
}

func uuids[R any](name string, get func(*R) identity.ID) columnOf[R] {
	return other(name, newFixed("UUID", 16), func(c *column.Fixed, r *R) { c.AppendUUID(get(r)) })
}

// derivedUUID appends nulls, which are replaced when the block is complete.
func derivedUUID[R any](name string) columnOf[R] {
	return other(name, newNullable("UUID", 16), func(c *column.NullableFixed, _ *R) { column.AppendNullUUID(c) })
}

// other is a column that appendTo fills.
func other[R any, C column.Column](name string, create func() C, appendTo func(C, *R)) columnOf[R] {
	return columnOf[R]{name, func(b *rowBlock[R]) column.Column {
		c := create()
		b.others = append(b.others, func(r *R) { appendTo(c, r) })
		return c
	}}
}

func newFixed(kind string, width int) func() *column.Fixed {
	return func() *column.Fixed { return column.NewFixed(kind, width) }
}

func newNullable(kind string, width int) func() *column.NullableFixed {
	return func() *column.NullableFixed { return column.NewNullable(column.NewFixed(kind, width)) }
}

// enumType is the ClickHouse type of an enumeration: the names have the values 1, 2, 3, ….
func enumType(names []fmt.Stringer) string {
	var items []string
	for i, name := range names {
		items = append(items, fmt.Sprintf("'%s' = %d", name, i+1))
	}
	return "Enum8(" + strings.Join(items, ", ") + ")"
}

// namesOfColumns returns the names of declared columns.
func namesOfColumns[R any](columns []columnOf[R]) (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}
