package identity

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ID is the UUID of a user, an organization or a conversation.
type ID = uuid.UUID

// namespace separates our names from those of other programs (RFC 9562, version 5).
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/millrace/millrace"))

// UserID returns the id of the user with an external id in a workspace.
func UserID(workspace, externalID []byte) ID { return name("user", workspace, externalID) }

// AddressID returns the id of a user who has only an address. The address must be folded.
func AddressID(workspace, email []byte) ID { return name("email", workspace, email) }

// OrganizationID returns the id of an organization of a workspace.
func OrganizationID(workspace, externalID []byte) ID {
	return name("organization", workspace, externalID)
}

// ConversationID returns the id of a conversation of a product.
func ConversationID(product, externalID []byte) ID { return name("conversation", product, externalID) }

// name joins the parts with a length, so that two different triples never give one name.
func name(kind string, scope, externalID []byte) ID {
	var memory [256]byte
	b := append(memory[:0], kind...)
	b = append(b, 0)
	b = binary.AppendUvarint(b, uint64(len(scope)))
	b = append(b, scope...)
	b = append(b, externalID...)
	return uuid.NewSHA1(namespace, b)
}

// Fold returns an address in lower case, in which addresses are compared. It appends to memory, and returns the rest of
// memory for the next call. An address in lower case is returned itself; nil stays nil.
func Fold(memory, email []byte) (folded, rest []byte) {
	for _, c := range email {
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			start := len(memory)
			memory = appendLower(memory, email)
			return memory[start:len(memory):len(memory)], memory
		}
	}
	return email, memory
}

func appendLower(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		b = utf8.AppendRune(b, unicode.ToLower(r))
		text = text[n:]
	}
	return b
}
