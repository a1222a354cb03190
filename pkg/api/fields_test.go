package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/payload"
)

const (
	call     = `{"externalUserId":"user_4711","email":"ada@example.com","name":"Ada Lovelace","externalOrganizationId":"org_42","organizationName":"Analytical Engines","properties":{"plan":"pro"},"timestamp":"2026-05-18T12:00:00.000Z"}`
	activity = `{"externalConversationId":"conv_7","externalUserId":"user_4711","email":"ada@example.com","timestamp":1779105600,"properties":{"channel":"chat"}}`
)

// verdicts are values of a field and what is said of them.
type verdicts map[*payload.Reason][]string

// requireVerdicts puts each value into a field of a message that is valid without it.
func requireVerdicts(t *testing.T, format *payload.Format, valid string, fields map[string]verdicts) {
	t.Helper()
	for name, rows := range fields {
		for want, values := range rows {
			for _, value := range values {
				p, refusal := parseAs(t, format, "["+valid+","+strings.TrimSuffix(valid, "}")+`,"`+name+`":`+value+"}]")
				require.Nil(t, refusal)
				require.True(t, want == p.Messages[1].Reason, "%s: %s: want %v, got %v", name, value, want, p.Messages[1].Reason)
			}
		}
	}
}

func texts(broken *payload.Reason) verdicts {
	return verdicts{payload.Accepted: {`"x"`, `""`, `" "`, `"\u00e9"`, `null`}, broken: {`5`, `true`, `[]`, `{}`, `["x"]`}}
}

// The fields that several messages have in common.
var (
	emails = verdicts{
		payload.Accepted: {`null`, `""`, `" a@b.c "`, `"a\u0040b.c"`, `1,"email":"a@b.c"`},
		InvalidEmail:     {`"a"`, `" "`, `"a@b@c"`, `"a b@c.d"`, `5`, `true`, `{}`, `["a@b.c"]`, `"a@b.c","email":1`},
	}
	times = verdicts{
		payload.Accepted: {`null`, `"2026-05-18T12:00:00Z"`, `"2026-05-18T12:00:00.123456+02:00"`, `"2026-05-18"`, `1779105600`, `1779105600000`, `1779105600.5`, `"1779105600"`},
		InvalidTimestamp: {`""`, `"now"`, `"2026"`, `"2026-02-30"`, `"2026-05-18T25:00:00Z"`, `"3000-01-01"`, `1e300`, `true`, `{}`, `["2026-05-18"]`},
	}
	properties = verdicts{payload.Accepted: {`null`, `{}`, `{"a":{"b":[1]}}`}, InvalidProperties: {`""`, `"{}"`, `[]`, `0`, `false`}}
	unknown    = verdicts{payload.Accepted: {`1`, `"x"`, `{}`, `[]`, `null`}}
)

func TestIdentifyVerdicts(t *testing.T) {
	requireVerdicts(t, &IdentifyFormat, `{"email":"a@b.c"}`, map[string]verdicts{
		"externalUserId": texts(InvalidExternalUserID), "name": texts(InvalidName), "externalOrganizationId": texts(InvalidExternalOrganizationID),
		"organizationName": texts(InvalidOrganizationName), "timestamp": times, "properties": properties,
		"eventAt": unknown, "externalConversationId": unknown, "userHints": unknown, "Email": unknown, "x": unknown,
	})
	requireVerdicts(t, &IdentifyFormat, `{"externalUserId":"u"}`, map[string]verdicts{
		"email": emails, "externalUserId": {MissingUser: {`""`, `" \t"`, `"\u2003"`, `null`}, InvalidExternalUserID: {`5`}},
	})
}

func TestActivityVerdicts(t *testing.T) {
	requireVerdicts(t, &ActivityFormat, `{"externalConversationId":"c"}`, map[string]verdicts{
		"externalConversationId": {
			payload.Accepted: {`"x"`, `"\u00e9"`}, MissingExternalConversationID: {`" "`, `null`, `""`}, InvalidExternalConversationID: {`5`, `true`, `[]`, `{}`},
		},
		"externalUserId": texts(InvalidExternalUserID), "email": emails, "timestamp": times, "properties": properties,
		"name": unknown, "organizationName": unknown, "externalOrganizationId": unknown, "eventAt": unknown, "x": unknown,
	})
}

func TestOtherShapes(t *testing.T) {
	for format, message := range map[*payload.Format]string{&IdentifyFormat: call, &ActivityFormat: activity} {
		withBatch := strings.TrimSuffix(message, "}") + `,"batch":[1,` + message + `]}`
		for body, want := range map[string][]string{
			message:                             {message},
			"[" + message + "]":                 {message},
			`{"batch":[` + message + `,{}]}`:    {message, `{}`},
			withBatch:                           {withBatch}, // a message that happens to have such a field
			"[" + message + "," + message + "]": {message, message},
			`[]`:                                {},
			`{"batch":[],"context":{"ip":1}}`:   {},
		} {
			p, refusal := parseAs(t, format, body)
			require.Nil(t, refusal, body)
			require.Nil(t, p.Context)
			got := []string{}
			for _, m := range p.Messages {
				require.False(t, m.Duplicate)
				got = append(got, string(m.Raw))
			}
			require.Equal(t, want, got, body)
		}
	}
}

func TestOtherRefusals(t *testing.T) {
	oversize := `"` + strings.Repeat("x", payload.DefaultLimits.MessageBytes) + `"`
	for format, rows := range map[*payload.Format]map[string]*payload.Reason{
		&IdentifyFormat: {
			`{}`: MissingUser, `5`: NotAnObject, `[null,{}]`: NotAnObject, `{"batch":[[]]}`: NotAnObject, `{"batch":"x"}`: MissingUser, `[{"email":"a"},5]`: InvalidEmail,
			`{"batch":[` + call + `],"email":"a"}`: InvalidEmail, `{"email":"a@b.c","x":` + oversize + `}`: payload.TooLarge, `{"name":5}`: InvalidName, `{"externalConversationId":"c"}`: MissingUser,
		},
		&ActivityFormat: {
			`{}`: MissingExternalConversationID, `5`: NotAnObject, `[null,{}]`: NotAnObject, `{"batch":[[]]}`: NotAnObject, call: MissingExternalConversationID,
			`{"batch":[` + activity + `],"externalConversationId":5}`: InvalidExternalConversationID, `{"externalConversationId":"c","x":` + oversize + `}`: payload.TooLarge, `{"email":"a"}`: InvalidEmail,
		},
	} {
		for body, want := range rows {
			_, refusal := parseAs(t, format, body)
			require.NotNil(t, refusal, body)
			require.Equal(t, payload.Refusal{Code: format.RefusalCode, Message: "No element is " + format.Name + "; element 0: " + want.Sentence() + ".", Index: 0}, *refusal)
		}
	}
}

// validSubject is a second opinion by encoding/json.
func validSubject(raw []byte, names ...string) (o map[string]json.RawMessage, valid bool) {
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return nil, false
	}
	valid = isTime(o, "timestamp")
	for _, name := range names {
		_, ok := text(o, name)
		valid = valid && ok
	}
	email, _ := text(o, "email")
	var properties map[string]json.RawMessage
	return o, valid && isEmail(email) && (o["properties"] == nil || json.Unmarshal(o["properties"], &properties) == nil)
}

func validIdentify(raw []byte) bool {
	o, valid := validSubject(raw, "externalUserId", "email", "name", "externalOrganizationId", "organizationName")
	id, _ := text(o, "externalUserId")
	email, _ := text(o, "email")
	return valid && id+email != ""
}

func validActivity(raw []byte) bool {
	o, valid := validSubject(raw, "externalConversationId", "externalUserId", "email")
	id, _ := text(o, "externalConversationId")
	return valid && id != ""
}

func FuzzSubject(f *testing.F) {
	for _, seed := range []string{call, activity, `{"email":"\ud800@b"}`, `{"externalUserId":"","email":""}`, `{"externalConversationId":"\u0000","timestamp":"2026-05-18"}`, `{"externalUserId":5,"externalConversationId":5}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for format, row := range map[*payload.Format]struct {
			valid  string
			expect func([]byte) bool
		}{&IdentifyFormat: {call, validIdentify}, &ActivityFormat: {activity, validActivity}} {
			p := payload.New(format)
			body := append(append([]byte("["+row.valid+","), raw...), ']')
			if p.Parse(body, payload.DefaultLimits) != nil || p.Received() != 2 {
				return
			}
			reason := p.Messages[1].Reason
			require.Equal(t, row.expect(p.Messages[1].Raw), reason == payload.Accepted, "%s: %q: %v", format.Name, raw, reason)
		}
	})
}

func TestOthersAllocateNothing(t *testing.T) {
	escaped := strings.NewReplacer("user_4711", `J\u00fcrgen`, "ada@", `ad\u0061@`)
	for format, message := range map[*payload.Format]string{&IdentifyFormat: call, &ActivityFormat: activity} {
		p := payload.New(format)
		body := []byte(`{"batch":[` + strings.Repeat(message+","+escaped.Replace(message)+",", 49) + message + `]}`)
		require.NoError(t, p.Parse(body, payload.DefaultLimits))
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if p.Parse(body, payload.DefaultLimits) != nil || p.Accepted != 99 {
				t.Fatal("not accepted")
			}
		}))
	}
}

// One user's messages have one subject, be they of one kind or another.
func TestSubjects(t *testing.T) {
	subject := func(format *payload.Format, message string) uint32 {
		p := payload.New(format)
		p.HashKeys = true
		require.NoError(t, p.Parse([]byte(message), payload.DefaultLimits))
		require.Equal(t, 1, p.Accepted)
		return p.Messages[0].KeyHash
	}
	ada := subject(&IdentifyFormat, `{"externalUserId":"ada","email":"a@x.io"}`)
	address := subject(&IdentifyFormat, `{"email":" A@x.IO "}`)
	require.NotEqual(t, ada, address)
	require.Equal(t, ada, subject(&ActivityFormat, `{"externalConversationId":"c","externalUserId":"\u0061da"}`))
	require.Equal(t, address, subject(&ActivityFormat, `{"externalConversationId":"c","email":"a@x.io"}`))
	require.Equal(t, ada, subject(&EventFormat, `{"eventType":"E","externalUserId":"ada","insertId":"i"}`))
	require.Equal(t, address, subject(&EventFormat, `{"eventType":"E","userHints":{"email":"a\u0040x.io"},"insertId":"i"}`))
	require.Equal(t, subject(&EventFormat, `{"eventType":"E","insertId":"i"}`), subject(&EventFormat, `{"eventType":"E","insertId":"i","eventAt":5}`))
	require.Equal(t, subject(&ActivityFormat, `{"externalConversationId":"c"}`), subject(&ActivityFormat, `{"externalConversationId":"c","timestamp":5}`))
	require.NotEqual(t, subject(&EventFormat, `{"eventType":"E"}`), subject(&EventFormat, `{"eventType":"F"}`))
}

func TestSubjectsAllocateNothing(t *testing.T) {
	for format, message := range map[*payload.Format]string{
		&IdentifyFormat: `{"email":"Ada@Example.com"}`, &ActivityFormat: `{"externalConversationId":"c","email":"a\u0040x.io"}`, &EventFormat: `{"eventType":"E","externalUserId":"\u0061da"}`,
	} {
		p := payload.New(format)
		p.HashKeys = true
		body := []byte(message)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if p.Parse(body, payload.DefaultLimits) != nil {
				t.Fatal("not accepted")
			}
		}), message)
	}
}
