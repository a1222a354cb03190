package native

import "github.com/millrace/millrace/pkg/payload"

// EventFormat is that of POST /v1/events.
var EventFormat = payload.Format{
	Name: "a valid event", Refused: "no_valid_event",
	New:         func() payload.Element { return new(Event) },
	NotAnObject: NotAnEvent,
	Invalid: []*payload.Reason{
		NotAnEvent, MissingEventType, InvalidEventType, InvalidInsertID, InvalidEventAt, InvalidExternalUserID, InvalidUserHints, InvalidEmail,
		InvalidUserName, InvalidExternalOrganizationID, InvalidOrganizationHints, InvalidOrganizationName, InvalidValue, InvalidValueType,
		InvalidCurrency, InvalidInfluence, InvalidScore, InvalidExternalConversationID, InvalidProperties, payload.TooLarge,
	},
}

// The verdicts on events, beside payload.Accepted and payload.TooLarge.
var (
	NotAnEvent                    = payload.Invalid("not_an_event", "it is not an object")
	MissingEventType              = payload.Invalid("missing_event_type", "it has no eventType, or one without text")
	InvalidEventType              = payload.Invalid("invalid_event_type", "its eventType is not a string")
	InvalidInsertID               = payload.Invalid("invalid_insert_id", "its insertId is not a string")
	InvalidEventAt                = payload.Invalid("invalid_event_at", "its eventAt is not a time as in RFC 3339, nor seconds or milliseconds since 1970, of the years 1900 to 2299")
	InvalidExternalUserID         = payload.Invalid("invalid_external_user_id", "its externalUserId is not a string")
	InvalidUserHints              = payload.Invalid("invalid_user_hints", "its userHints are not an object")
	InvalidEmail                  = payload.Invalid("invalid_email", "its userHints.email is not an e-mail address")
	InvalidUserName               = payload.Invalid("invalid_user_name", "its userHints.name is not a string")
	InvalidExternalOrganizationID = payload.Invalid("invalid_external_organization_id", "its externalOrganizationId is not a string")
	InvalidOrganizationHints      = payload.Invalid("invalid_organization_hints", "its organizationHints are not an object")
	InvalidOrganizationName       = payload.Invalid("invalid_organization_name", "its organizationHints.name is not a string")
	InvalidValue                  = payload.Invalid("invalid_value", "its value is not what its valueType or currency asks for: a number of at most 20 digits before the point, a text, or true or false")
	InvalidValueType              = payload.Invalid("invalid_value_type", "its valueType is not currency, numeric, text or boolean")
	InvalidCurrency               = payload.Invalid("invalid_currency", "its currency is not a code of three letters")
	InvalidInfluence              = payload.Invalid("invalid_influence", "its influence is not positive, neutral or negative")
	InvalidScore                  = payload.Invalid("invalid_quality_impact_score", "its qualityImpactScore is not a number from -1 to 1")
	InvalidExternalConversationID = payload.Invalid("invalid_external_conversation_id", "its externalConversationId is not a string")
	InvalidProperties             = payload.Invalid("invalid_properties", "its properties are neither an object nor null")
)
