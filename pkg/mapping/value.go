package mapping

import (
	"bytes"

	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// value reads what the event is worth, and returns the sign of the revenue, 0 if there is none that is
// readable. The sign is that of the number as it was sent: a revenue too small for a Decimal has one too.
//
// By default that is properties.revenue, or else price × quantity, as currency. A number that a Decimal
// does not hold is as good as unreadable; more than 18 digits behind the point are rounded half to even.
func (m *Mapper) value(e *Event) (revenueSign int) {
	p := &m.fields.properties
	if n, text, ok := m.number(p.revenue); ok {
		if d, ok := n.Decimal(); ok {
			revenueSign = n.Sign()
			e.setNumber(Currency, d, text)
		}
	}
	if !e.HasValue {
		m.product(e)
	}
	m.valueOverrides(e)
	return revenueSign
}

func (e *Event) setNumber(t ValueType, d scalar.Decimal, text []byte) {
	e.ValueType, e.Value, e.HasValue, e.ValueText = t, d, true, text
}

func (e *Event) setText(t ValueType, text []byte) {
	e.ValueType, e.Value, e.HasValue, e.ValueText = t, scalar.Decimal{}, false, text
}

// number reads a JSON number or a numeric string, and returns its text too.
func (m *Mapper) number(value []byte) (n scalar.Number, text []byte, ok bool) {
	if text, ok = m.scalar(value); ok {
		n, ok = scalar.ReadNumber(text)
	}
	return n, text, ok
}

func (m *Mapper) product(e *Event) {
	p := &m.fields.properties
	price, _, ok := m.number(p.price)
	if !ok {
		return
	}
	quantity, _, ok := m.number(p.quantity)
	if !ok {
		return
	}
	if d, ok := price.Product(&quantity); ok {
		start := len(m.memory)
		m.memory = d.Append(m.memory)
		e.setNumber(Currency, d, m.made(start))
	}
}

// valueOverrides applies gf_value and gf_value_type. A gf_value without a valid type is currency if it reads
// as a number, and else text. A type without a valid gf_value is the type of the default value if that
// can have it (which boolean cannot), and nothing if there is none.
func (m *Mapper) valueOverrides(e *Event) {
	p := &m.fields.properties
	t := NoValue
	if given(p.gfValueType) {
		if t = ValueType(oneOf(m.trimmed(p.gfValueType), valueTypes[:])); t == NoValue {
			e.Malformed |= OverrideValueType
		}
	}
	if given(p.gfValue) {
		if m.setValue(t, p.gfValue, e) {
			return
		}
		e.Malformed |= OverrideValue
	}
	switch {
	case !e.HasValue:
	case t == Numeric:
		e.ValueType = Numeric
	case t == Text:
		e.setText(Text, e.ValueText)
	}
}

// setValue sets the value to gf_value as type t, and tells whether it could: a blank string says
// nothing, and a number has to be one that a scalar.Decimal holds.
func (m *Mapper) setValue(t ValueType, value []byte, e *Event) bool {
	if t == Boolean && rawjson.KindOf(value) == rawjson.Bool {
		e.setText(Boolean, value)
		return true
	}
	text, ok := m.scalar(value)
	plain := bytes.TrimSpace(text)
	if !ok || len(plain) == 0 {
		return false
	}
	switch t {
	case Text:
		e.setText(Text, text)
		return true
	case Boolean:
		if oneOf(plain, booleans[:]) == 0 {
			return false
		}
		e.setText(Boolean, text)
		return true
	}
	if n, ok := scalar.ReadNumber(plain); ok {
		if d, ok := n.Decimal(); ok {
			e.setNumber(max(t, Currency), d, text)
			return true
		}
	}
	if t == NoValue {
		e.setText(Text, text)
		return true
	}
	return false
}

var booleans = [...]string{"", "true", "false", "1", "0"}

// currency is the upper-case code if the value looks like one: three ASCII letters.
func (m *Mapper) currency(value []byte) []byte {
	code := m.trimmed(value)
	if len(code) != 3 {
		return nil
	}
	upper := true
	for _, c := range code {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return nil
		}
		upper = upper && c < 'a'
	}
	if upper {
		return code
	}
	start := len(m.memory)
	for _, c := range code {
		m.memory = append(m.memory, c&^0x20)
	}
	return m.made(start)
}
