package mapping

import (
	"bytes"

	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// The members that a value can come from.
const (
	pathRevenue   = "properties.revenue"
	pathPrice     = "properties.price"
	pathQuantity  = "properties.quantity"
	pathValue     = "properties.gf_value"
	pathValueType = "properties.gf_value_type"
)

// value reads the value of the event. It returns the sign of the revenue, 0 if there is no readable one. The sign is
// that of the number as it was sent: a revenue that is too small for a Decimal has one too.
//
// The default is properties.revenue, else price × quantity, as currency. A number that a Decimal does not hold counts
// as unreadable. More than 18 digits after the point are rounded half to even.
func (m *Mapper) value(e *Event) (revenueSign int) {
	p := &m.fields.properties
	if n, text, ok := m.number(p.revenue); ok {
		if d, ok := n.Decimal(); ok {
			revenueSign = n.Sign()
			e.setNumber(Currency, d, text)
		}
	}
	m.trace.tried(colValue, pathRevenue, p.revenue, e.HasValue, amountFault)
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
	if len(value) == 0 {
		return n, nil, false
	}
	if text, ok = m.scalar(value); ok {
		n, ok = scalar.ReadNumber(text)
	}
	return n, text, ok
}

func (m *Mapper) product(e *Event) {
	p := &m.fields.properties
	if p.price == nil && p.quantity == nil {
		m.trace.factors(nil, nil, false, false)
		return
	}
	price, _, isPrice := m.number(p.price)
	quantity, _, isQuantity := m.number(p.quantity)
	if isPrice && isQuantity {
		if d, ok := price.Product(&quantity); ok {
			start := len(m.memory)
			m.memory = d.Append(m.memory)
			e.setNumber(Currency, d, m.memoryFrom(start))
			if m.trace != nil {
				r := &m.trace.rules[colValue]
				r.text, r.from = pathPrice+" × "+pathQuantity, []string{pathPrice, pathQuantity}
				m.trace.note(colInfluence, "price × quantity does not count")
			}
			return
		}
	}
	m.trace.factors(p.price, p.quantity, isPrice, isQuantity)
}

// valueOverrides applies gf_value and gf_value_type. A gf_value without a valid type is currency if it is a number,
// else text. A type without a valid gf_value is the type of the default value if that can have it (which boolean
// cannot), and nothing if there is none.
func (m *Mapper) valueOverrides(e *Event) {
	p := &m.fields.properties
	asked := NoValue
	if given(p.gfValueType) {
		if asked = ValueType(oneOf(m.trimmed(p.gfValueType), valueTypes[:])); asked == NoValue {
			e.Malformed |= OverrideValueType
			m.trace.note(colValueType, pathValueType+" is none of currency, numeric, text and boolean: ignored")
		}
	}
	override := p.gfValue
	if !given(override) || !m.setValue(asked, override, e) {
		if given(override) {
			e.Malformed |= OverrideValue
			if m.trace != nil {
				m.trace.rules[colValue].ignore(pathValue, valueFault(override, asked))
			}
		}
		override = nil
		switch {
		case !e.HasValue:
		case asked == Numeric:
			e.ValueType = Numeric
		case asked == Text:
			e.setText(Text, e.ValueText)
		}
	}
	m.trace.typed(e, asked, override)
}

// setValue sets the value to gf_value as type t. It reports whether gf_value can be of that type: a blank string
// cannot, and a number must fit a scalar.Decimal.
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

// currency reads the currency: a code of three ASCII letters, which is stored in upper case.
func (m *Mapper) currency(path string, value []byte, e *Event) {
	e.Currency = m.currencyCode(value)
	m.trace.tried(colCurrency, path, value, e.Currency != nil, currencyFault)
}

func (m *Mapper) currencyCode(value []byte) []byte {
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
	return m.memoryFrom(start)
}
