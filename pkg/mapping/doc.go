// Package mapping maps messages: a track, page or screen call of Segment or an event of the API becomes an Event, with
// its time, value, influence and the ids of its user and organization. An identify call of the API becomes an Identify,
// and a conversation call an Activity. The package is pure: bytes in, values out.
//
// Nothing is copied that can be a view of the message. Texts that must be built (unescaped texts, insert ids, appended
// properties) are in memory of the Mapper that its next message reuses, so mapping allocates nothing.
//
// Files, in the order data meets them:
//
//	event.go          Message in, Event out
//	names.go          the texts of the enumerations
//	record.go         MapRecord: the one dispatch by a record's kind and provider
//	mapper.go         mapSegment: a message of Segment, and why one cannot be mapped
//	fields.go         one pass over the JSON: the values that mapping needs, as raw JSON
//	texts.go          raw JSON values as texts and ids
//	eventtype.go      the event's name and insert id
//	time.go           the event's time
//	identity.go       user and organization
//	value.go          revenue, price × quantity, and the overrides of value and type
//	overrides.go      the other overrides: influence, score, conversation
//	influence.go      the influence of a name: words and keywords
//	words.go          the keywords in all their forms
//	api.go            mapAPI: an event of the API
//	identify.go       mapIdentify: who a user is
//	activity.go       mapActivity: one activity of a conversation
//
// and only where somebody asks why an event is as it is:
//
//	trace.go          records which member decided each column, while the message is mapped
//	keyword_trace.go  the words of a name that decided its influence
//	explain.go        Explain: the trace as one rule per field
package mapping
