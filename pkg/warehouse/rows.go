package warehouse

// Some rows of a block are sometimes wanted without the others: resends are dropped, and a row that ClickHouse
// refuses is looked for by halves. Both are rare. In a cluster, each shard's go to that. All are copied out.

// nowhere is where a row goes that nobody wants.
const nowhere = -1

// RemoveRows takes the marked rows out.
func (b *block) RemoveRows(marked []bool) {
	to := make([]int, len(marked))
	for row, drop := range marked {
		if drop {
			to[row] = nowhere
		}
	}
	for _, c := range b.columns {
		c.become(c.scatter(0, to, 1)[0])
	}
}

// Rows from one to before another, as a block of their own.
func (b *block) slice(from, to int) *block {
	return b.scatter(from, make([]int, to-from), 1)[0]
}

// scatter copies each row from the first on to the one of n blocks that to has for it, as far as it goes.
func (b *block) scatter(first int, to []int, n int) []*block {
	parts := make([]*block, n)
	for i := range parts {
		parts[i] = &block{table: b.table, names: b.names, derived: b.derived, columns: make([]column, len(b.columns))}
	}
	for i, c := range b.columns {
		for part, scattered := range c.scatter(first, to, n) {
			parts[part].columns[i] = scattered
		}
	}
	return parts
}

func (c *fixed) become(of column) {
	c.reset()
	*c = *of.(*fixed)
}

func (c *fixed) scatter(first int, to []int, n int) []column {
	parts := make([]column, n)
	for i := range parts {
		parts[i] = &fixed{kind: c.kind, width: c.width}
	}
	for row, part := range to {
		if part != nowhere {
			p := parts[part].(*fixed)
			p.room(c.width)
			p.open = append(p.open, c.at(first+row)...)
		}
	}
	return parts
}

func (c *text) become(of column) {
	c.reset()
	*c = *of.(*text)
}

func (c *text) scatter(first int, to []int, n int) []column {
	parts := make([]column, n)
	for i := range parts {
		parts[i] = &text{}
	}
	var at cursor
	for range first {
		c.next(&at)
	}
	for _, part := range to {
		if value := c.next(&at); part != nowhere {
			parts[part].(*text).put(value)
		}
	}
	return parts
}

func (c *text) each(take func(key []byte)) {
	var at cursor
	for range c.rows {
		take(c.next(&at))
	}
}

func (c *said) become(of column) {
	c.at.become(&of.(*said).at)
	c.text.become(&of.(*said).text)
}

func (c *said) scatter(first int, to []int, n int) []column {
	parts, texts := c.at.scatter(first, to, n), c.text.scatter(first, to, n)
	for i := range parts {
		parts[i] = &said{at: *parts[i].(*fixed), text: *texts[i].(*text)}
	}
	return parts
}

func (c *nullable[C]) become(of column) {
	c.nulls.become(of.(*nullable[C]).nulls)
	c.values.become(of.(*nullable[C]).values)
}

func (c *nullable[C]) scatter(first int, to []int, n int) []column {
	parts := c.values.scatter(first, to, n)
	for i, nulls := range c.nulls.scatter(first, to, n) {
		parts[i] = &nullable[C]{nulls: nulls.(*fixed), values: parts[i].(C)}
	}
	return parts
}

func (c *dictionary) become(of column) { c.keys.become(&of.(*dictionary).keys) } // the values are the same

// scatter has the parts share the values: they are sent, and never reset.
func (c *dictionary) scatter(first int, to []int, n int) []column {
	parts := make([]column, n)
	for i, keys := range c.keys.scatter(first, to, n) {
		part := *c
		part.keys, part.encoded = *keys.(*fixed), nil
		parts[i] = &part
	}
	return parts
}

func (c *dictionary) each(take func(key []byte)) {
	for row := range c.Rows() {
		take(c.at(row))
	}
}
