package identity

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ID is the UUID of a user, an organization or a conversation.
type ID = uuid.UUID

// namespace keeps our names apart from everybody else's (RFC 9562, version 5).
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/millrace/millrace"))

// UserID is the id of the user an external id names in a workspace.
func UserID(workspace, externalID []byte) ID { return name("user", workspace, externalID) }

// AddressID is the id of the user who is known by an address alone. The address is folded.
func AddressID(workspace, email []byte) ID { return name("email", workspace, email) }

// OrganizationID is the id of an organization of a workspace.
func OrganizationID(workspace, externalID []byte) ID {
	return name("organization", workspace, externalID)
}

// ConversationID is the id of a conversation in a product.
func ConversationID(product, externalID []byte) ID { return name("conversation", product, externalID) }

// name joins with lengths, so that no two triples give one name.
func name(kind string, scope, externalID []byte) ID {
	var memory [256]byte
	b := append(memory[:0], kind...)
	b = append(b, 0)
	b = binary.AppendUvarint(b, uint64(len(scope)))
	b = append(b, scope...)
	b = append(b, externalID...)
	return uuid.NewSHA1(namespace, b)
}

// Fold appends an address as it is compared: without regard to case. nil stays nil, and what needs no
// change is returned as it is.
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
		b = utf8.AppendRune(b, lower(r))
		text = text[n:]
	}
	return b
}
