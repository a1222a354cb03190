// Package mapping says what a message means: the business event behind one of our own API, or behind a
// track, page or screen call of Segment's, with its time, its value, hints at who did it, and whether it
// speaks for or against the conversation before it; and who a user is and what happens in a conversation,
// where our own API is told that. It is pure: bytes in, an Event, Identify or Activity out.
//
// Nothing is copied that can be a view of the message. What has to be made (unescaped texts, insert ids,
// appended properties) lies in memory of the Mapper that its next message reuses, so that mapping
// allocates nothing.
//
// Files, in the order data meets them:
//
//	event.go      what goes in and what comes out
//	names.go      the texts of the enumerations
//	record.go     MapRecord: the one dispatch by a record's kind and provider
//	mapper.go     mapSegment: one message from front to back, and why one cannot be mapped
//	fields.go     one pass over the JSON: the values that mapping needs, as raw JSON
//	texts.go      raw JSON values as texts and ids
//	eventtype.go  the name, its renaming, and the properties that remember the old one
//	time.go       when it happened
//	identity.go   who did it: user, organization
//	value.go      revenue, price × quantity, and the overrides of value and type
//	overrides.go  the other overrides: influence, score, conversation
//	influence.go  what a name says: words and how they join
//	words.go      the keywords in all their forms
//	native.go     mapAPI: an event of our own API
//	identify.go   mapIdentify: who a user is
//	activity.go   mapActivity: one activity of a conversation
//
// and beside its way, for people who ask why an event is as it is:
//
//	explain.go            Explain: the rule that decided each field of an event of Segment's
//	explain_native.go     ExplainNative: the same of our own API
//	explain_people.go     whose it was, and how users, organizations and conversations will be found
//	explain_value.go      value and type
//	explain_influence.go  InfluenceRule: the override, the sign or the words that decided
//	explain_rule.go       how a rule is put together: the first member that can be read, and those passed over
//	explained.go          what comes out: a field, its value, its rule
package mapping
