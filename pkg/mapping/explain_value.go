package mapping

import (
	"bytes"
	"slices"

	"github.com/millrace/millrace/pkg/rawjson"
)

const (
	pathRevenue   = "properties.revenue"
	pathPrice     = "properties.price"
	pathQuantity  = "properties.quantity"
	pathValue     = "properties.gf_value"
	pathValueType = "properties.gf_value_type"
)

// explainValue says where the value and its type come from. It asks in the order in which value does.
func (m *Mapper) explainValue(e *Event, r *rules) {
	p := &m.fields.properties
	asked := ValueType(oneOf(m.trimmed(p.gfValueType), valueTypes[:]))
	overridden := given(p.gfValue) && e.Malformed&OverrideValue == 0
	amount := by(pathValue)
	if !overridden {
		if amount = m.amountRule(); given(p.gfValue) {
			amount.ignore(pathValue, m.valueFault(p.gfValue, asked))
		}
	}
	r.value, r.valueText = amount, amount
	if e.ValueType != NoValue && !e.HasValue {
		r.value = noNumber(e)
	}
	if overridden && rawjson.KindOf(p.gfValue) == rawjson.Bool {
		r.valueText.from = []string{pathValue, pathValueType}
	}
	r.valueType = m.valueTypeRule(e, asked, overridden, &amount)
	if e.Malformed&OverrideValueType != 0 {
		r.valueType.ignore(pathValueType, "is none of currency, numeric, text and boolean")
	}
}

func noNumber(e *Event) rule {
	return rule{says: "null, for the value is " + e.ValueType.String() + ": value_text has it"}
}

// valueTypeRule says why the value has its type; asked is the one that gf_value_type asks for.
func (m *Mapper) valueTypeRule(e *Event, asked ValueType, overridden bool, amount *rule) (r rule) {
	switch {
	case e.ValueType == NoValue:
		r.says = valueless
		if asked != NoValue {
			r.ignore(pathValueType, "has no value to be the type of")
		}
	case e.ValueType == asked:
		r = by(pathValueType)
		r.from = slices.Concat(r.from, amount.from)
	case overridden && e.HasValue:
		r.says, r.from = pathValue+" is a number", amount.from
	case overridden:
		r.says, r.from = pathValue+" "+m.amountFault(m.fields.properties.gfValue)+": it is text", amount.from
	default:
		r.says, r.from = amount.says+" is an amount of money", amount.from
		if asked == Boolean {
			r.ignore(pathValueType, "is boolean, which an amount is not")
		}
	}
	return r
}

const valueless = "there is no value"

// amountRule says where the value comes from that a message has by default.
func (m *Mapper) amountRule() (r rule) {
	p := &m.fields.properties
	fault := m.amountFault(p.revenue)
	if fault == "" {
		return by(pathRevenue)
	}
	if given(p.revenue) {
		r.ignore(pathRevenue, fault)
	}
	price, _, isPrice := m.number(p.price)
	quantity, _, isQuantity := m.number(p.quantity)
	if isPrice && isQuantity {
		if _, ok := price.Product(&quantity); ok {
			r.says, r.from = pathPrice+" × "+pathQuantity, []string{pathPrice, pathQuantity}
			return r
		}
		r.ignore(pathPrice+" × "+pathQuantity, tooLarge)
	}
	r.factor(member{pathPrice, p.price}, isPrice, isQuantity, pathQuantity)
	r.factor(member{pathQuantity, p.quantity}, isQuantity, isPrice, pathPrice)
	r.says = "there is no amount: neither a revenue nor price × quantity"
	return r
}

// factor notes why a price or a quantity makes no value.
func (r *rule) factor(f member, readable, otherReadable bool, other string) {
	switch {
	case !given(f.raw):
	case !readable:
		r.ignore(f.path, numberFault(f.raw))
	case !otherReadable:
		r.ignore(f.path, "counts only with a "+other)
	}
}

const tooLarge = "has more than 20 digits before the point"

// amountFault says why a value is no number that can be stored; empty if it is one.
func (m *Mapper) amountFault(raw []byte) string {
	n, _, ok := m.number(raw)
	if !ok {
		return numberFault(raw)
	}
	if _, ok := n.Decimal(); !ok {
		return tooLarge
	}
	return ""
}

func numberFault(raw []byte) string {
	switch rawjson.KindOf(raw) {
	case rawjson.String, rawjson.Number:
		return "cannot be read as a number"
	}
	return "is neither a number nor text"
}

// valueFault says why gf_value cannot be a value of the type asked for.
func (m *Mapper) valueFault(raw []byte, asked ValueType) string {
	text, ok := m.scalar(raw)
	switch {
	case !ok && asked != Boolean:
		return "is neither a number nor text"
	case ok && len(bytes.TrimSpace(text)) == 0:
		return "is blank"
	case asked == Boolean:
		return "is not one of true, false, 1 and 0"
	}
	return m.amountFault(raw)
}
