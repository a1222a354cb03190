package api

import "github.com/millrace/millrace/pkg/payload"

// Activity is one activity of a conversation, by a user if one is named.
type Activity struct{ Fields }

// Set implements payload.Object, like the methods below.
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

// IsMessage reports that an object with a "batch" that names a conversation is one message.
func (a *Activity) IsMessage() bool { return a.ExternalConversationID != nil }

// PartitionKey is the user, else the conversation.
func (a *Activity) PartitionKey() []byte { return a.partitionKey(a.ExternalConversationID) }

// Verdict decides on the activity.
func (a *Activity) Verdict(size int, limits *payload.Limits) *payload.Reason {
	if size > limits.MessageBytes {
		return payload.TooLarge
	}
	return a.Check()
}

// Check reads all fields. It returns the first invalid one, or that there is no conversation.
func (a *Activity) Check() *payload.Reason {
	if reason := a.check(InvalidTimestamp); reason != payload.Accepted {
		return reason
	}
	if a.ExternalConversationID == nil {
		return MissingExternalConversationID
	}
	return payload.Accepted
}
