package api

import "github.com/millrace/millrace/pkg/payload"

// Activity says that something happened in a conversation, and whose it is if that is known.
type Activity struct{ Subject }

// Take is for payload.Element, like those below.
func (a *Activity) Take(name, value []byte) { set(a.field(name), value) }

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

// Whole tells that an object with a "batch" that names a conversation is about that conversation.
func (a *Activity) Whole() bool { return a.ExternalConversationID != nil }

// Whose is the user, else the conversation.
func (a *Activity) Whose() []byte { return a.whose(a.ExternalConversationID) }

// Judge decides on an activity from its fields.
func (a *Activity) Judge(size int, limits *payload.Limits) *payload.Reason {
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
