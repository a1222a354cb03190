package api

import (
	"bytes"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// Fields are the fields that messages of the API have in common. Its slices are raw JSON values that alias the message;
// a field that is absent or null is nil. After the check, those of texts are string literals that are not empty.
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

// Reset implements payload.Object, like ID.
func (f *Fields) Reset() { *f = Fields{text: f.text[:0]} }

// ID is nil: to store the same twice changes nothing, so duplicates need not be found.
func (f *Fields) ID() []byte { return nil }

// partitionKey is the external id of the user, else the address, else other. The message has been checked.
func (f *Fields) partitionKey(other []byte) []byte {
	switch {
	case f.ExternalUserID != nil:
		return f.textOf(f.ExternalUserID)
	case f.Email != nil:
		return f.lower(bytes.TrimSpace(f.textOf(f.Email)))
	case other != nil:
		return f.textOf(other)
	}
	return nil
}

// lower is a text with its ASCII letters in lower case, valid until the next call of textOf.
func (f *Fields) lower(text []byte) []byte {
	f.text = append(f.text[:0], text...)
	for i, c := range f.text {
		if 'A' <= c && c <= 'Z' {
			f.text[i] = c | 0x20
		}
	}
	return f.text
}

// setField sets the field of a member; unknown members have none.
func setField(field *[]byte, value []byte) {
	if rawjson.KindOf(value) == rawjson.Null {
		value = nil
	}
	if field != nil {
		*field = value
	}
}

// check reads the fields. It returns the first invalid one, in the order below. The field of the time has two names, so
// invalidTime is the verdict on it.
func (f *Fields) check(invalidTime *payload.Reason) *payload.Reason {
	switch {
	case !f.readTime():
		return invalidTime
	case !optionalID(&f.ExternalUserID):
		return InvalidExternalUserID
	case !optionalID(&f.ExternalOrganizationID):
		return InvalidExternalOrganizationID
	case !optionalID(&f.ExternalConversationID):
		return InvalidExternalConversationID
	case f.Properties != nil && rawjson.KindOf(f.Properties) != rawjson.Object:
		return InvalidProperties
	case !optionalText(&f.Email), f.Email != nil && !scalar.LooksLikeAddress(bytes.TrimSpace(f.textOf(f.Email))):
		return InvalidEmail
	case !optionalText(&f.Name):
		return InvalidName
	case !optionalText(&f.OrganizationName):
		return InvalidOrganizationName
	}
	return payload.Accepted
}

// optionalText reports whether the value is a string or absent. An empty string counts as absent.
func optionalText(value *[]byte) bool {
	if string(*value) == `""` {
		*value = nil
	}
	return *value == nil || rawjson.KindOf(*value) == rawjson.String
}

// optionalID is optionalText for ids: a blank string counts as absent, too.
func optionalID(value *[]byte) bool {
	if rawjson.KindOf(*value) == rawjson.String && !rawjson.HasText(*value) {
		*value = nil
	}
	return optionalText(value)
}

// textOf is the text of a string, valid until the next call; of other values it is their JSON.
func (f *Fields) textOf(value []byte) []byte {
	if rawjson.KindOf(value) != rawjson.String {
		return value
	}
	if inside := value[1 : len(value)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	f.text = rawjson.AppendUnquoted(f.text[:0], value)
	return f.text
}

func (f *Fields) readTime() bool {
	kind := rawjson.KindOf(f.at)
	switch kind {
	case rawjson.None:
		return true
	case rawjson.String, rawjson.Number:
		f.At, f.HasAt = scalar.ReadTime(f.textOf(f.at), kind == rawjson.String)
	}
	return f.HasAt
}
