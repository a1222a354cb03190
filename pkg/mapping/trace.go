package mapping

import (
	"bytes"
	"slices"
	"strings"

	"github.com/millrace/millrace/pkg/rawjson"
)

// trace records, while a message is mapped, which member of it decided each column, and which members were there but
// did not count. A nil trace records nothing: only Explain needs one.
type trace struct{ rules [columnCount]rule }

// column is a column that the mapping decides.
type column uint8

const (
	colInsertID column = iota
	colMessageType
	colEventType
	colSourceEvent
	colEventAt
	colExternalUserID
	colUserEmail
	colUserName
	colExternalOrganizationID
	colOrganizationName
	colExternalConversationID
	colInfluence
	colScore
	colValue
	colValueText
	colValueType
	colCurrency
	colProperties
	columnCount
)

// rule is why a column has its value.
type rule struct {
	text    string   // what decided, or why nothing did; empty until a member decides
	from    []string // the members that decided; nil if none did
	missing []string // the members that were tried in vain
	notes   []string // members that did not count, and why
	later   bool     // see Explained
}

// tried records that the mapping looked at a member for a column, in vain if it is not usable. Only the first usable
// member counts. fault says why a member that is there is not usable.
func (t *trace) tried(c column, path string, raw []byte, usable bool, fault func([]byte) string) {
	if t != nil {
		t.rules[c].tried(path, raw, usable, fault)
	}
}

// decide records what decided a column: the member at path, or none if that is empty.
func (t *trace) decide(c column, text, path string) {
	if t != nil {
		t.rules[c].text, t.rules[c].from = text, nil
		if path != "" {
			t.rules[c].from = []string{path}
		}
	}
}

// note records a fact about a column beside what decided it.
func (t *trace) note(c column, note string) {
	if t != nil {
		t.rules[c].notes = append(t.rules[c].notes, note)
	}
}

func (r *rule) tried(path string, raw []byte, usable bool, fault func([]byte) string) {
	switch {
	case r.text != "":
	case usable:
		r.text, r.from = path, []string{path}
	default:
		r.missing = append(r.missing, path)
		if given(raw) {
			r.ignore(path, fault(raw))
		}
	}
}

func (r *rule) ignore(path, fault string) { r.notes = append(r.notes, path+" "+fault+": ignored") }

// amount records how the amount at path contributed to the influence: sign is that of an amount that counts.
func (t *trace) amount(path string, raw []byte, sign int, name []byte, w *words) {
	if t == nil {
		return
	}
	r := &t.rules[colInfluence]
	switch {
	case sign > 0:
		t.decide(colInfluence, path+" is above zero", path)
		return
	case sign < 0:
		t.decide(colInfluence, path+" is below zero", path)
		return
	}
	r.text, r.from = w.rule(name), t.rules[colEventType].from
	if fault := amountFault(raw); fault == "" {
		r.notes = append(r.notes, path+" is zero and does not count")
	} else if given(raw) {
		r.ignore(path, fault)
	}
}

// factors records why price × quantity is no value.
func (t *trace) factors(price, quantity []byte, isPrice, isQuantity bool) {
	if t == nil {
		return
	}
	r := &t.rules[colValue]
	r.text, r.from = "there is no amount: neither a revenue nor price × quantity", nil
	if isPrice && isQuantity {
		r.ignore(pathPrice+" × "+pathQuantity, tooLarge)
	}
	factor := func(path string, raw []byte, readable, otherReadable bool, other string) {
		switch {
		case !given(raw):
		case !readable:
			r.ignore(path, numberFault(raw))
		case !otherReadable:
			r.ignore(path, "counts only with a "+other)
		}
	}
	factor(pathPrice, price, isPrice, isQuantity, pathQuantity)
	factor(pathQuantity, quantity, isQuantity, isPrice, pathPrice)
}

// typed records why the value of a Segment message has its type: asked is what gf_value_type asks for, override is
// gf_value if that is the value.
func (t *trace) typed(e *Event, asked ValueType, override []byte) {
	if t == nil {
		return
	}
	value, valueType := &t.rules[colValue], &t.rules[colValueType]
	if override != nil {
		*value = rule{text: pathValue, from: []string{pathValue}}
	}
	switch {
	case e.ValueType == NoValue:
		valueType.text = noValue
		if asked != NoValue {
			valueType.ignore(pathValueType, "has no value to be the type of")
		}
	case e.ValueType == asked:
		valueType.text, valueType.from = pathValueType, slices.Concat([]string{pathValueType}, value.from)
	case override != nil && e.HasValue:
		valueType.text, valueType.from = pathValue+" is a number", value.from
	case override != nil:
		valueType.text, valueType.from = pathValue+" "+amountFault(override)+": it is text", value.from
	default:
		valueType.text, valueType.from = value.text+" is an amount of money", value.from
		if asked == Boolean {
			valueType.ignore(pathValueType, "is boolean, which an amount is not")
		}
	}
	t.rules[colValueText] = *value
	if rawjson.KindOf(override) == rawjson.Bool {
		t.rules[colValueText].from = []string{pathValue, pathValueType}
	}
	t.noNumber(e)
}

// typedAPI is typed for an event of the API.
func (t *trace) typedAPI(e *Event, hasType, hasCurrency bool) {
	if t == nil {
		return
	}
	r := &t.rules[colValueType]
	switch {
	case e.ValueType == NoValue:
		r.text = noValue
		if hasType {
			r.ignore("valueType", "has no value to be the type of")
		}
	case hasType:
		r.text, r.from = "valueType", []string{"value", "valueType"}
	case hasCurrency:
		r.text, r.from = "there is a currency", []string{"value", "currency"}
	case e.HasValue:
		r.text, r.from = "value is a number", []string{"value"}
	case e.ValueType == Boolean:
		r.text, r.from = "value is true or false", []string{"value"}
	default:
		r.text, r.from = "value is text", []string{"value"}
	}
	t.rules[colValueText] = t.rules[colValue]
	t.noNumber(e)
}

const noValue = "there is no value"

// noNumber records that the column value is null because the value is no number.
func (t *trace) noNumber(e *Event) {
	if e.ValueType != NoValue && !e.HasValue {
		t.rules[colValue] = rule{text: "null, because the value is " + e.ValueType.String() + ": see value_text"}
	}
}

// appended records that the original name at path was appended to the properties.
func (t *trace) appended(path string) {
	if t != nil {
		r := &t.rules[colProperties]
		r.text += ", and the original name after them as segment_event"
		r.from = append(r.from, path)
	}
}

// The functions below say why a value that is there is not usable.

func idFault(raw []byte) string {
	if rawjson.KindOf(raw) == rawjson.String {
		return "is blank"
	}
	return "is neither text nor a number"
}

func textFault(raw []byte) string {
	if rawjson.KindOf(raw) == rawjson.String {
		return "is blank"
	}
	return "is not text"
}

func addressFault([]byte) string  { return "does not look like an address" }
func currencyFault([]byte) string { return "is not a code of three letters" }
func scoreFault([]byte) string    { return "is not a number from -1 to 1" }

func timeFault(raw []byte) string {
	if _, ok := new(Mapper).readTime(raw); ok {
		return incredible
	}
	return "cannot be read as a time"
}

const incredible = "is before 2000 or more than 24 hours after receipt"

const tooLarge = "has more than 20 digits before the point"

// amountFault is empty if the value is a number that can be stored.
func amountFault(raw []byte) string {
	n, _, ok := new(Mapper).number(raw)
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
func valueFault(raw []byte, asked ValueType) string {
	text, ok := new(Mapper).scalar(raw)
	switch {
	case !ok && asked != Boolean:
		return "is neither a number nor text"
	case ok && len(bytes.TrimSpace(text)) == 0:
		return "is blank"
	case asked == Boolean:
		return "is not one of true, false, 1 and 0"
	}
	return amountFault(raw)
}

// sentence is the rule in words.
func (r *rule) sentence() string {
	text := r.text
	if last := len(r.missing) - 1; text == "" && last >= 0 {
		text = "there is no "
		if r.notes != nil {
			text = "there is no usable "
		}
		if last > 0 {
			text += strings.Join(r.missing[:last], ", ") + " or "
		}
		text += r.missing[last]
	}
	return strings.Join(append([]string{text}, r.notes...), "; ")
}
