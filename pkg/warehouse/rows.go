package warehouse

import "encoding/binary"

// Some rows of a block are sometimes wanted without the others: resends are dropped, and a row that ClickHouse
// refuses is looked for by halves. Both are rare. In a cluster, each shard's are copied out.

// Drop takes the marked rows out.
func (b *block) Drop(marked []bool) {
	for _, c := range b.columns {
		c.drop(marked)
	}
}

// Rows from one to before another, as a block of their own that views this one.
func (b *block) slice(from, to int) *block {
	part := *b
	part.columns = make([]column, len(b.columns))
	for i, c := range b.columns {
		part.columns[i] = c.slice(from, to)
	}
	return &part
}

func (c *fixed) drop(marked []bool) { c.data = dropFixed(c.data, c.width, marked) }

func dropFixed(data []byte, width int, marked []bool) []byte {
	kept := data[:0]
	for row, drop := range marked {
		if !drop {
			kept = append(kept, data[row*width:(row+1)*width]...)
		}
	}
	return kept
}

func (c *fixed) slice(from, to int) column {
	return &fixed{kind: c.kind, width: c.width, data: c.data[from*c.width : to*c.width]}
}

func (c *text) drop(marked []bool) {
	kept, at := c.data[:0], 0
	rows := 0
	for _, drop := range marked {
		end := c.after(at)
		if !drop {
			kept = append(kept, c.data[at:end]...)
			rows++
		}
		at = end
	}
	c.data, c.rows = kept, rows
}

// after is where the text behind the one at offset begins.
func (c *text) after(offset int) int {
	length, prefix := binary.Uvarint(c.data[offset:])
	return offset + prefix + int(length)
}

func (c *text) slice(from, to int) column { return c.part(from, to) }

func (c *text) part(from, to int) *text {
	start := 0
	for range from {
		start = c.after(start)
	}
	end := start
	for range to - from {
		end = c.after(end)
	}
	return &text{data: c.data[start:end], rows: to - from}
}

func (c *said) drop(marked []bool) {
	c.at.drop(marked)
	c.text.drop(marked)
}

func (c *said) slice(from, to int) column {
	return &said{at: *c.at.slice(from, to).(*fixed), text: *c.text.part(from, to)}
}

func (c *nullable[C]) drop(marked []bool) {
	c.nulls = dropFixed(c.nulls, 1, marked)
	c.values.drop(marked)
}

func (c *nullable[C]) slice(from, to int) column {
	return &nullable[C]{nulls: c.nulls[from:to], values: c.values.slice(from, to).(C)}
}

func (c *dictionary) drop(marked []bool) {
	kept := c.keys[:0]
	for row, drop := range marked {
		if !drop {
			kept = append(kept, c.keys[row])
		}
	}
	c.keys = kept
}

func (c *dictionary) slice(from, to int) column {
	part := *c
	part.keys, part.encoded = c.keys[from:to], nil
	return &part
}

// scatter copies each row to the one of n columns that to has for it.
func (c *fixed) scatter(to []int, n int) []column {
	parts := make([]column, n)
	for i, data := range scatterFixed(c.data, c.width, to, n) {
		parts[i] = &fixed{kind: c.kind, width: c.width, data: data}
	}
	return parts
}

func scatterFixed(data []byte, width int, to []int, n int) [][]byte {
	parts := make([][]byte, n)
	for row, part := range to {
		parts[part] = append(parts[part], data[row*width:(row+1)*width]...)
	}
	return parts
}

func (c *text) scatter(to []int, n int) []column {
	texts, parts := make([]text, n), make([]column, n)
	at := 0
	for _, part := range to {
		end := c.after(at)
		texts[part].data = append(texts[part].data, c.data[at:end]...)
		texts[part].rows++
		at = end
	}
	for i := range parts {
		parts[i] = &texts[i]
	}
	return parts
}

func (c *text) each(take func(key []byte)) {
	at := 0
	for range c.rows {
		length, prefix := binary.Uvarint(c.data[at:])
		take(c.data[at+prefix : at+prefix+int(length)])
		at += prefix + int(length)
	}
}

func (c *said) scatter(to []int, n int) []column {
	parts, texts := c.at.scatter(to, n), c.text.scatter(to, n)
	for i := range parts {
		parts[i] = &said{at: *parts[i].(*fixed), text: *texts[i].(*text)}
	}
	return parts
}

func (c *nullable[C]) scatter(to []int, n int) []column {
	parts := c.values.scatter(to, n)
	for i, nulls := range scatterFixed(c.nulls, 1, to, n) {
		parts[i] = &nullable[C]{nulls: nulls, values: parts[i].(C)}
	}
	return parts
}

func (c *dictionary) scatter(to []int, n int) []column {
	parts := make([]column, n)
	for i := range parts {
		part := *c
		part.keys, part.encoded = nil, nil
		parts[i] = &part
	}
	for row, part := range to {
		p := parts[part].(*dictionary)
		p.keys = append(p.keys, c.keys[row])
	}
	return parts
}

func (c *dictionary) each(take func(key []byte)) {
	for row := range c.keys {
		take(c.at(row))
	}
}
