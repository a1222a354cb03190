package api

import "github.com/millrace/millrace/pkg/payload"

// Activity says that something happened in a conversation, and whose it is if that is known.
type Activity struct{ Fields }

// Set is for payload.Element, like those below.
func (a *Activity) Set(name, value []byte) { setField(a.field(name), value) }

func (a *Activity) field(name []byte) *[]byte {
	switch string(name) {
	case "externalConversationId":
		return &a.ExternalConversationID
	case "externalUserId":
		return &a.ExternalUserID
	case "email":
		return &a.Email
	case "properties":
		return &a.Properties
	case "timestamp":
		return &a.at
	}
	return nil
}

// IsMessage tells that an object with a "batch" that names a conversation is about that conversation.
func (a *Activity) IsMessage() bool { return a.ExternalConversationID != nil }

// PartitionKey is the user, else the conversation.
func (a *Activity) PartitionKey() []byte { return a.partitionKey(a.ExternalConversationID) }

// Verdict decides on an activity from its fields.
func (a *Activity) Verdict(size int, limits *payload.Limits) *payload.Reason {
	if size > limits.MessageBytes {
		return payload.TooLarge
	}
	return a.Check()
}

// Check reads all fields, and says which is not what it has to be, or that there is no conversation.
func (a *Activity) Check() *payload.Reason {
	if reason := a.check(InvalidTimestamp); reason != payload.Accepted {
		return reason
	}
	if a.ExternalConversationID == nil {
		return MissingExternalConversationID
	}
	return payload.Accepted
}
