package api

import (
	"bytes"
	"math"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// The names of the enumerations, as the API has them.
var (
	Influences = []string{"negative", "neutral", "positive"}
	ValueTypes = []string{"currency", "numeric", "text", "boolean"}
)

// Check reads all fields. It returns the first invalid one, in the order below.
func (e *Event) Check() *payload.Reason {
	kind := rawjson.KindOf(e.EventType)
	switch {
	case kind == rawjson.None, kind == rawjson.String && len(bytes.TrimSpace(e.textOf(e.EventType))) == 0:
		return MissingEventType
	case kind != rawjson.String:
		return InvalidEventType
	case !optionalID(&e.InsertID):
		return InvalidInsertID
	case !e.readUserHints():
		return InvalidUserHints
	case !e.readOrganizationHints():
		return InvalidOrganizationHints
	}
	if reason := e.check(InvalidEventAt); reason != payload.Accepted {
		return reason
	}
	switch {
	case !e.readInfluence():
		return InvalidInfluence
	case !e.readScore():
		return InvalidScore
	}
	return e.readValue()
}

// oneOf is the name that a string is equal to, or empty.
func (e *Event) oneOf(value []byte, names []string) string {
	if rawjson.KindOf(value) == rawjson.String {
		text := e.textOf(value)
		for _, name := range names {
			if string(text) == name {
				return name
			}
		}
	}
	return ""
}

func (e *Event) readInfluence() bool {
	e.Influence = e.oneOf(e.influence, Influences)
	return e.influence == nil || e.Influence != ""
}

func (e *Event) readScore() bool {
	if rawjson.KindOf(e.score) == rawjson.Number {
		e.Score, e.HasScore = scalar.ReadFloat(e.score)
		e.HasScore = e.HasScore && -1 <= e.Score && e.Score <= 1
	}
	return e.score == nil || e.HasScore
}

func (e *Event) readUserHints() bool {
	return members(e.userHints, func(name, value []byte) {
		switch string(name) {
		case "email":
			e.Email = value
		case "name":
			e.Name = value
		}
	})
}

func (e *Event) readOrganizationHints() bool {
	return members(e.organizationHints, func(name, value []byte) {
		if string(name) == "name" {
			e.OrganizationName = value
		}
	})
}

// members calls take for each member of an object, with nil for null. It reports whether the value is an object or
// absent.
func members(object []byte, take func(name, value []byte)) bool {
	if object == nil {
		return true
	}
	if rawjson.KindOf(object) != rawjson.Object {
		return false
	}
	s := rawjson.NewScanner(object, math.MaxInt) // its depth has been checked
	for s.Enter('{'); s.More('}'); {
		name, value := s.Member(), s.Skip()
		if rawjson.KindOf(value) == rawjson.Null {
			value = nil
		}
		take(name, value)
	}
	return true
}

// readValue finds the type of the value, and checks that the value can have it. Without a valueType it is currency if
// there is a currency, else what the value is.
func (e *Event) readValue() *payload.Reason {
	if !optionalText(&e.Currency) || e.Currency != nil && !isCurrencyCode(e.textOf(e.Currency)) {
		return InvalidCurrency
	}
	given := e.oneOf(e.valueType, ValueTypes)
	if e.valueType != nil && given == "" {
		return InvalidValueType
	}
	if e.Value == nil {
		return payload.Accepted
	}
	if e.ValueType = given; given == "" && e.Currency != nil {
		e.ValueType = "currency"
	}
	if !e.fits() {
		return InvalidValue
	}
	return payload.Accepted
}

// fits reports whether the value is of its type, and finds the type if there is none yet.
func (e *Event) fits() bool {
	kind := rawjson.KindOf(e.Value)
	text := bytes.TrimSpace(e.textOf(e.Value))
	isScalar := (kind == rawjson.Number || kind == rawjson.String) && len(text) > 0
	isNumber := isScalar && isDecimal(text)
	if e.ValueType == "" {
		switch {
		case kind == rawjson.Bool:
			e.ValueType = "boolean"
		case kind == rawjson.Number, isNumber:
			e.ValueType = "numeric"
		default:
			e.ValueType = "text"
		}
	}
	switch e.ValueType {
	case "text":
		return isScalar
	case "boolean":
		return kind == rawjson.Bool || isScalar && isBoolean(text)
	}
	return isNumber
}

func isDecimal(text []byte) bool {
	n, ok := scalar.ReadNumber(text)
	if ok {
		_, ok = n.Decimal()
	}
	return ok
}

func isBoolean(text []byte) bool {
	switch string(text) {
	case "true", "false", "1", "0":
		return true
	}
	return false
}

func isCurrencyCode(text []byte) bool {
	for _, c := range text {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return len(text) == 3
}
