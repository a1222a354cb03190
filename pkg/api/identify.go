package api

import "github.com/millrace/millrace/pkg/payload"

// Identify says who a user is.
type Identify struct{ Fields }

// Set implements payload.Object, like the methods below.
func (i *Identify) Set(name, value []byte) { setField(i.field(name), value) }

func (i *Identify) field(name []byte) *[]byte {
	switch string(name) {
	case "externalUserId":
		return &i.ExternalUserID
	case "email":
		return &i.Email
	case "name":
		return &i.Name
	case "externalOrganizationId":
		return &i.ExternalOrganizationID
	case "organizationName":
		return &i.OrganizationName
	case "properties":
		return &i.Properties
	case "timestamp":
		return &i.at
	}
	return nil
}

// IsMessage reports that an object with a "batch" that names a user is one message.
func (i *Identify) IsMessage() bool { return i.ExternalUserID != nil || i.Email != nil }

// PartitionKey is the user.
func (i *Identify) PartitionKey() []byte { return i.partitionKey(nil) }

// Verdict decides on the identify call.
func (i *Identify) Verdict(size int, limits *payload.Limits) *payload.Reason {
	if size > limits.MessageBytes {
		return payload.TooLarge
	}
	return i.Check()
}

// Check reads all fields. It returns the first invalid one, or that there is no user.
func (i *Identify) Check() *payload.Reason {
	if reason := i.check(InvalidTimestamp); reason != payload.Accepted {
		return reason
	}
	if i.ExternalUserID == nil && i.Email == nil {
		return MissingUser
	}
	return payload.Accepted
}
