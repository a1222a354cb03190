package api

import (
	"bytes"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// Fields is what all messages of the API may say: who it was, when, and whatever else. Its slices are raw
// JSON values that alias the message: nil where there is no such member, or it is null. Once checked, those
// of texts are string literals that are not empty.
type Fields struct {
	ExternalUserID         []byte
	Email, Name            []byte // of the user
	ExternalOrganizationID []byte
	OrganizationName       []byte
	ExternalConversationID []byte
	Properties             []byte // an object

	At    int64 // Unix milliseconds; only if HasAt
	HasAt bool

	at   []byte
	text []byte // memory for texts with escapes
}

// Reset is for payload.Element, like ID.
func (s *Fields) Reset() { *s = Fields{text: s.text[:0]} }

// ID is nil: saying something once more changes nothing, so no two messages have to be told to be one.
func (s *Fields) ID() []byte { return nil }

// partitionKey is the external id, else the address; else another name of the message. The message has been checked.
func (s *Fields) partitionKey(other []byte) []byte {
	switch {
	case s.ExternalUserID != nil:
		return s.textOf(s.ExternalUserID)
	case s.Email != nil:
		return s.lower(bytes.TrimSpace(s.textOf(s.Email)))
	case other != nil:
		return s.textOf(other)
	}
	return nil
}

// lower is a text in lower case as far as ASCII goes, like what plain says.
func (s *Fields) lower(text []byte) []byte {
	s.text = append(s.text[:0], text...)
	for i, c := range s.text {
		if 'A' <= c && c <= 'Z' {
			s.text[i] = c | 0x20
		}
	}
	return s.text
}

// setField notes a member in its field. Those without one are passed over.
func setField(field *[]byte, value []byte) {
	if rawjson.KindOf(value) == rawjson.Null {
		value = nil
	}
	if field != nil {
		*field = value
	}
}

// check reads the fields, and says which is not what it has to be: the first in the order below. The time's
// verdict is given, for its name is not the same everywhere.
func (s *Fields) check(invalidTime *payload.Reason) *payload.Reason {
	switch {
	case !s.readTime():
		return invalidTime
	case !optionalText(&s.ExternalUserID):
		return InvalidExternalUserID
	case !optionalText(&s.ExternalOrganizationID):
		return InvalidExternalOrganizationID
	case !optionalText(&s.ExternalConversationID):
		return InvalidExternalConversationID
	case s.Properties != nil && rawjson.KindOf(s.Properties) != rawjson.Object:
		return InvalidProperties
	case !optionalText(&s.Email), s.Email != nil && !scalar.LooksLikeAddress(bytes.TrimSpace(s.textOf(s.Email))):
		return InvalidEmail
	case !optionalText(&s.Name):
		return InvalidName
	case !optionalText(&s.OrganizationName):
		return InvalidOrganizationName
	}
	return payload.Accepted
}

// optionalText tells whether the value is a string or absent, which an empty string is, too.
func optionalText(value *[]byte) bool {
	if string(*value) == `""` {
		*value = nil
	}
	return *value == nil || rawjson.KindOf(*value) == rawjson.String
}

// textOf is what a string says, until the next call; of other values it is their JSON.
func (s *Fields) textOf(value []byte) []byte {
	if rawjson.KindOf(value) != rawjson.String {
		return value
	}
	if inside := value[1 : len(value)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	s.text = rawjson.AppendUnquoted(s.text[:0], value)
	return s.text
}

func (s *Fields) readTime() bool {
	kind := rawjson.KindOf(s.at)
	switch kind {
	case rawjson.None:
		return true
	case rawjson.String, rawjson.Number:
		s.At, s.HasAt = scalar.ReadTime(s.textOf(s.at), kind == rawjson.String)
	}
	return s.HasAt
}
