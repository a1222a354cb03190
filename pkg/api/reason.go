package api

import "github.com/millrace/millrace/pkg/payload"

// EventFormat is that of POST /v1/events.
var EventFormat = payload.Format{
	Name: "a valid event", RefusalCode: "no_valid_event",
	New:         func() payload.Object { return new(Event) },
	NotAnObject: NotAnEvent,
	Invalid: append([]*payload.Reason{
		NotAnEvent,
		MissingEventType,
		InvalidEventType,
		InvalidInsertID,
		InvalidEventAt,
		InvalidUserHints,
		InvalidName,
		InvalidExternalOrganizationID,
		InvalidOrganizationHints,
		InvalidOrganizationName,
		InvalidValue,
		InvalidValueType,
		InvalidCurrency,
		InvalidInfluence,
		InvalidScore,
		InvalidExternalConversationID,
	}, commonReasons...),
}

// IdentifyFormat is that of POST /v1/identify.
var IdentifyFormat = payload.Format{
	Name: "a valid identify call", RefusalCode: "no_valid_identify",
	New:         func() payload.Object { return new(Identify) },
	NotAnObject: NotAnObject,
	Invalid: append([]*payload.Reason{
		NotAnObject, MissingUser, InvalidName, InvalidExternalOrganizationID, InvalidOrganizationName, InvalidTimestamp,
	}, commonReasons...),
}

// ActivityFormat is that of POST /v1/conversations.
var ActivityFormat = payload.Format{
	Name: "a valid activity of a conversation", RefusalCode: "no_valid_activity",
	New:         func() payload.Object { return new(Activity) },
	NotAnObject: NotAnObject,
	Invalid: append([]*payload.Reason{
		NotAnObject, MissingExternalConversationID, InvalidExternalConversationID, InvalidTimestamp,
	}, commonReasons...),
}

// commonReasons are the verdicts on messages of any format of the API.
var commonReasons = []*payload.Reason{InvalidExternalUserID, InvalidEmail, InvalidProperties, payload.TooLarge}

// The verdicts on messages of the API, beside payload.Accepted and payload.TooLarge.
var (
	NotAnEvent                    = payload.Invalid("not_an_event", "it is not an object")
	NotAnObject                   = payload.Invalid("not_an_object", "it is not an object")
	MissingEventType              = payload.Invalid("missing_event_type", "it has no eventType, or one without text")
	MissingUser                   = payload.Invalid("missing_user", "it has neither an externalUserId nor an email")
	MissingExternalConversationID = payload.Invalid(
		"missing_external_conversation_id",
		"it has no externalConversationId, or an empty one",
	)
	InvalidEventType              = payload.Invalid("invalid_event_type", "its eventType is not a string")
	InvalidInsertID               = payload.Invalid("invalid_insert_id", "its insertId is not a string")
	InvalidEventAt                = payload.Invalid("invalid_event_at", "its eventAt "+notATime)
	InvalidTimestamp              = payload.Invalid("invalid_timestamp", "its timestamp "+notATime)
	InvalidExternalUserID         = payload.Invalid("invalid_external_user_id", "its externalUserId is not a string")
	InvalidUserHints              = payload.Invalid("invalid_user_hints", "its userHints are not an object")
	InvalidEmail                  = payload.Invalid("invalid_email", "the email of its user is not an e-mail address")
	InvalidName                   = payload.Invalid("invalid_user_name", "the name of its user is not a string")
	InvalidExternalOrganizationID = payload.Invalid(
		"invalid_external_organization_id",
		"its externalOrganizationId is not a string",
	)
	InvalidOrganizationHints = payload.Invalid(
		"invalid_organization_hints",
		"its organizationHints are not an object",
	)
	InvalidOrganizationName = payload.Invalid(
		"invalid_organization_name",
		"the name of its organization is not a string",
	)
	InvalidValue = payload.Invalid(
		"invalid_value",
		"its value does not fit its valueType or currency: a number with at most 20 digits before the point, a text, or true or false",
	)
	InvalidValueType = payload.Invalid(
		"invalid_value_type",
		"its valueType is not currency, numeric, text or boolean",
	)
	InvalidCurrency  = payload.Invalid("invalid_currency", "its currency is not a code of three letters")
	InvalidInfluence = payload.Invalid(
		"invalid_influence",
		"its influence is not positive, neutral or negative",
	)
	InvalidScore = payload.Invalid(
		"invalid_quality_impact_score",
		"its qualityImpactScore is not a number from -1 to 1",
	)
	InvalidExternalConversationID = payload.Invalid(
		"invalid_external_conversation_id",
		"its externalConversationId is not a string",
	)
	InvalidProperties = payload.Invalid(
		"invalid_properties",
		"its properties are neither an object nor null",
	)
)

const notATime = "is not a time: as in RFC 3339 or RFC 1123, or seconds, milli-, micro- or nanoseconds since 1970"
