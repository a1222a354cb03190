package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/scalar"
)

const (
	small = `{"eventType":"E"}`
	large = `{"insertId":"order-4711-paid","eventType":"Order Completed","eventAt":"2026-05-18T12:00:00.000Z","externalUserId":"user_4711","userHints":{"email":"ada@example.com","name":"Ada Lovelace"},"externalOrganizationId":"org_42","organizationHints":{"name":"Analytical Engines"},"value":"49.90","valueType":"currency","currency":"USD","influence":"positive","qualityImpactScore":0.7,"externalConversationId":"conv_7","properties":{"plan":"pro","products":[{"sku":"A-1","price":19.5,"quantity":2},{"sku":"B-2","price":10}]}}`
)

func parse(t *testing.T, body string) (*payload.Payload, *payload.Refusal) {
	t.Helper()
	return parseAs(t, &EventFormat, body)
}

func parseAs(t *testing.T, format *payload.Format, body string) (*payload.Payload, *payload.Refusal) {
	t.Helper()
	p := payload.New(format)
	var refusal *payload.Refusal
	if err := p.Parse([]byte(body), payload.DefaultLimits); err != nil {
		require.ErrorAs(t, err, &refusal)
	}
	return p, refusal
}

func TestShapes(t *testing.T) {
	for body, want := range map[string][]string{
		small:                             {small},
		" " + large + "\n":                {large},
		"[" + small + " , " + large + "]": {small, large},
		`{"batch":[` + large + `,` + small + `]}`:    {large, small},
		`{"batch":[` + small + `],"context":{}}`:     {small},
		`{"batch":[` + small + `],"eventType":null}`: {small},
		`{"eventType":"E","batch":[1,2]}`:            {`{"eventType":"E","batch":[1,2]}`},
		`{"batch":[` + small + `],"eventType":"E"}`:  {`{"batch":[` + small + `],"eventType":"E"}`},
		`{"batch":[]}`: {},
		`[]`:           {},
	} {
		p, refusal := parse(t, body)
		require.Nil(t, refusal, body)
		require.Nil(t, p.Context)
		got := []string{}
		for _, m := range p.Messages {
			require.Equal(t, payload.Accepted, m.Reason)
			got = append(got, string(m.Raw))
		}
		require.Equal(t, want, got, body)
	}
}

// field is an event with one more field.
func field(name, value string) string { return `{"eventType":"E","` + name + `":` + value + `}` }

func TestVerdicts(t *testing.T) {
	requireVerdicts(t, &EventFormat, small, map[string]verdicts{
		"insertId": texts(InvalidInsertID), "externalUserId": texts(InvalidExternalUserID), "externalOrganizationId": texts(InvalidExternalOrganizationID),
		"externalConversationId": texts(InvalidExternalConversationID),
		"eventType": {
			payload.Accepted: {`"x"`, `" x "`, `"\u0078"`}, MissingEventType: {`null`, `""`, `" \t\u00a0"`}, InvalidEventType: {`5`, `[]`, `{}`, `false`},
		},
		"eventAt": {
			payload.Accepted: {`null`, `"2026-05-18T12:00:00Z"`, `"2026-05-18T12:00:00.123456+02:00"`, `"2026-05-18"`, `1779105600`, `1779105600000`, `1779105600.5`, `"1779105600"`},
			InvalidEventAt:   {`""`, `"now"`, `"2026"`, `"2026-02-30"`, `"2026-05-18T25:00:00Z"`, `"3000-01-01"`, `1e300`, `true`, `{}`, `["2026-05-18"]`},
		},
		"userHints": {
			payload.Accepted: {`null`, `{}`, `{"email":null,"name":null}`, `{"email":"","name":""}`, `{"email":" a@b.c ","name":" "}`, `{"email":"a\u0040b.c"}`, `{"email":1,"email":"a@b.c"}`, `{"Email":1,"x":[{}]}`},
			InvalidUserHints: {`""`, `"a@b.c"`, `[]`, `1`, `true`},
			InvalidEmail:     {`{"email":"a"}`, `{"email":" "}`, `{"email":"a@b@c"}`, `{"email":"a b@c.d"}`, `{"email":5}`, `{"email":["a@b.c"]}`, `{"email":"a@b.c","email":1}`},
			InvalidName:      {`{"name":5}`, `{"name":{}}`, `{"name":false}`},
		},
		"organizationHints": {
			payload.Accepted: {`null`, `{}`, `{"name":"O"}`, `{"name":""}`, `{"name":null,"id":5}`}, InvalidOrganizationHints: {`"O"`, `[]`, `0`}, InvalidOrganizationName: {`{"name":5}`, `{"name":[]}`},
		},
		"value": {
			payload.Accepted: {`null`, `0`, `-12.5`, `1e3`, `"x"`, `"12.50"`, `"$1,234.50"`, `true`, `false`, `99999999999999999999`, `"100000000000000000000"`},
			InvalidValue:     {`""`, `" "`, `"\t"`, `[]`, `{}`, `100000000000000000000`, `1e400`},
		},
		"valueType": {
			payload.Accepted: {`null`, `"currency"`, `"numeric"`, `"text"`, `"boolean"`, `"te\u0078t"`}, InvalidValueType: {`""`, `"Text"`, `" text"`, `"money"`, `1`, `[]`},
		},
		"currency": {
			payload.Accepted: {`null`, `""`, `"USD"`, `"eur"`, `"\u0055SD"`}, InvalidCurrency: {`" USD"`, `"US"`, `"USDT"`, `"U$D"`, `"€"`, `"Éé"`, `840`, `{}`},
		},
		"influence": {
			payload.Accepted: {`null`, `"positive"`, `"neutral"`, `"negative"`}, InvalidInfluence: {`""`, `"Positive"`, `"good"`, `1`, `{}`},
		},
		"qualityImpactScore": {
			payload.Accepted: {`null`, `-1`, `1`, `0`, `-0.0`, `1e-400`, `0.7`, `10e-1`}, InvalidScore: {`1.0000001`, `-2`, `1e400`, `"0.5"`, `""`, `true`, `[]`},
		},
		"properties": properties,
		"anything":   {payload.Accepted: {`1`, `"x"`, `{}`, `[]`}},
		"InsertId":   {payload.Accepted: {`1`}},
	})
	for _, element := range []string{`5`, `"E"`, `null`, `[]`, `[` + small + `]`} {
		p, refusal := parse(t, "["+small+","+element+"]")
		require.Nil(t, refusal)
		require.Equal(t, NotAnEvent, p.Messages[1].Reason)
	}
}

// The type of a value: what is given, and what follows where nothing is.
func TestValueTypes(t *testing.T) {
	for fields, want := range map[string]string{
		`"value":5`: "numeric", `"value":"5"`: "numeric", `"value":"five"`: "text", `"value":true`: "boolean", `"value":"true"`: "text",
		`"value":5,"currency":"USD"`: "currency", `"value":"$5","currency":"USD"`: "currency", `"value":5,"currency":""`: "numeric",
		`"value":"five","currency":"USD"`: "invalid", `"value":true,"currency":"USD"`: "invalid",
		`"value":5,"currency":"USD","valueType":"numeric"`: "numeric", `"value":"five","currency":"USD","valueType":"text"`: "text",
		`"value":5,"valueType":"currency"`: "currency", `"value":"1e3","valueType":"currency"`: "currency", `"value":"x","valueType":"currency"`: "invalid",
		`"value":"x","valueType":"numeric"`: "invalid", `"value":true,"valueType":"numeric"`: "invalid", `"value":"100000000000000000000","valueType":"numeric"`: "invalid",
		`"value":5,"valueType":"text"`: "text", `"value":true,"valueType":"text"`: "invalid", `"value":" ","valueType":"text"`: "invalid",
		`"value":false,"valueType":"boolean"`: "boolean", `"value":"true","valueType":"boolean"`: "boolean", `"value":1,"valueType":"boolean"`: "boolean", `"value":"0","valueType":"boolean"`: "boolean",
		`"value":2,"valueType":"boolean"`: "invalid", `"value":"yes","valueType":"boolean"`: "invalid", `"value":[],"valueType":"boolean"`: "invalid",
		`"valueType":"currency"`: "", `"currency":"USD"`: "", `"value":null,"valueType":"text"`: "",
	} {
		e, reason := check(t, `{"eventType":"E",`+fields+`}`)
		if want == "invalid" {
			require.Equal(t, InvalidValue, reason, fields)
			continue
		}
		require.Equal(t, payload.Accepted, reason, fields)
		require.Equal(t, want, e.ValueType, fields)
	}
}

// check reads one event by itself.
func check(t *testing.T, raw string) (*Event, *payload.Reason) {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(raw), &members))
	var e Event
	e.Reset()
	for name, value := range members {
		e.Set([]byte(name), value)
	}
	return &e, e.Check()
}

func TestCheckReadsEveryField(t *testing.T) {
	e, reason := check(t, large)
	require.Equal(t, payload.Accepted, reason)
	require.Equal(t, []string{
		`"order-4711-paid"`, `"Order Completed"`, `"user_4711"`, `"ada@example.com"`, `"Ada Lovelace"`, `"org_42"`, `"Analytical Engines"`, `"conv_7"`, `"49.90"`, `"USD"`,
	}, []string{
		string(e.InsertID), string(e.EventType), string(e.ExternalUserID), string(e.Email), string(e.Name), string(e.ExternalOrganizationID),
		string(e.OrganizationName), string(e.ExternalConversationID), string(e.Value), string(e.Currency),
	})
	require.Equal(t, int64(1779105600000), e.At)
	require.Equal(t, 0.7, e.Score)
	require.Equal(t, []string{"positive", "currency"}, []string{e.Influence, e.ValueType})
	require.True(t, e.HasAt && e.HasScore && bytes.HasPrefix(e.Properties, []byte(`{"plan"`)))
	e.Reset()
	require.Equal(t, Event{Fields: Fields{text: e.text}}, *e)
}

func TestRefusals(t *testing.T) {
	for body, want := range map[string]*payload.Reason{
		`{}`: MissingEventType, `5`: NotAnEvent, `[null]`: NotAnEvent, `{"batch":"x"}`: MissingEventType, `{"batch":[1]}`: NotAnEvent,
		`{"batch":[` + small + `],"eventType":5}`: InvalidEventType, // an event, and a broken one
		`[{"eventType":5},{}]`:                    InvalidEventType,
		`{"type":"track","event":"E"}`:            MissingEventType,

		field("x", `"`+strings.Repeat("x", payload.DefaultLimits.MessageBytes)+`"`): payload.TooLarge,
	} {
		_, refusal := parse(t, body)
		require.NotNil(t, refusal, body)
		require.Equal(t, payload.Refusal{Code: "no_valid_event", Message: "No element is a valid event; element 0: " + want.Sentence() + ".", Index: 0}, *refusal)
	}
}

func TestReasonsAreTold(t *testing.T) {
	codes := map[string]bool{}
	for _, format := range []*payload.Format{&EventFormat, &IdentifyFormat, &ActivityFormat} {
		clear(codes)
		for _, reason := range format.Invalid {
			require.True(t, reason.Invalid())
			require.False(t, codes[reason.Code()], reason.Code())
			codes[reason.Code()] = true
			require.NotContains(t, reason.Sentence(), `"`)
		}
	}
}

// text is what a member says, empty if it is null or not there, and whether it can be a text.
func text(o map[string]json.RawMessage, name string) (s string, ok bool) {
	ok = o[name] == nil || json.Unmarshal(o[name], &s) == nil
	return s, ok
}

func isTime(o map[string]json.RawMessage, name string) bool {
	if o[name] == nil || string(o[name]) == "null" {
		return true
	}
	s, quoted := text(o, name)
	if !quoted {
		s = string(o[name])
	}
	_, ok := scalar.ReadTime([]byte(s), quoted)
	return ok
}

func isEmail(s string) bool {
	return s == "" || scalar.LooksLikeAddress([]byte(strings.TrimSpace(s)))
}

// reference is a second opinion by encoding/json; values of value are left to the tables above.
func reference(raw []byte) (valid, hasValue bool) {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return false, false
	}
	object := func(name string) (map[string]json.RawMessage, bool) {
		var inner map[string]json.RawMessage
		return inner, o[name] == nil || json.Unmarshal(o[name], &inner) == nil
	}
	oneOf := func(name string, names []string) bool {
		s, ok := text(o, name)
		return ok && (o[name] == nil || string(o[name]) == "null" || strings.Contains(","+strings.Join(names, ",")+",", ","+s+",") && s != "" && !strings.Contains(s, ","))
	}
	valid = true
	for _, name := range []string{"insertId", "externalUserId", "externalOrganizationId", "externalConversationId"} {
		_, ok := text(o, name)
		valid = valid && ok
	}
	name, ok := text(o, "eventType")
	valid = valid && ok && strings.TrimSpace(name) != ""
	user, okUser := object("userHints")
	organization, okOrganization := object("organizationHints")
	_, okProperties := object("properties")
	email, okEmail := text(user, "email")
	_, okName := text(user, "name")
	_, okOrganizationName := text(organization, "name")
	valid = valid && okUser && okOrganization && okProperties && okName && okOrganizationName && okEmail && isEmail(email)
	currency, okCurrency := text(o, "currency")
	letters := strings.Trim(strings.ToLower(currency), "abcdefghijklmnopqrstuvwxyz") == "" && !strings.ContainsRune(currency, 'K') // the Kelvin sign is no K
	valid = valid && okCurrency && (currency == "" || len(currency) == 3 && letters)
	valid = valid && oneOf("influence", Influences) && oneOf("valueType", ValueTypes)
	if score := o["qualityImpactScore"]; score != nil && string(score) != "null" {
		f, err := strconv.ParseFloat(string(score), 64)
		valid = valid && err == nil && math.Abs(f) <= 1 && len(score) <= 256
	}
	return valid && isTime(o, "eventAt"), o["value"] != nil && string(o["value"]) != "null"
}

func FuzzJudge(f *testing.F) {
	for _, seed := range []string{small, large, field("eventAt", `"2026-05-18"`), field("userHints", `{"email":"a@b.c","email":null}`), field("value", `"\ud800"`), `{"eventType":"\ud800"}`, field("insertId", `"\u0000"`)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := payload.New(&EventFormat)
		body := append(append([]byte("["+small+","), raw...), ']')
		if p.Parse(body, payload.DefaultLimits) != nil || p.Received() != 2 {
			return
		}
		raw = p.Messages[1].Raw
		reason := p.Messages[1].Reason
		valid, hasValue := reference(raw)
		if reason == InvalidValue {
			require.True(t, hasValue, "%q", raw)
			return
		}
		require.Equal(t, valid, reason == payload.Accepted, "%q: %v", raw, reason)
	})
}

func TestParseAllocatesNothing(t *testing.T) {
	p := payload.New(&EventFormat)
	escaped := strings.NewReplacer("user_4711", `J\u00fcrgen`, "ada@", `ad\u0061@`, "49.90", `\u00349`).Replace(large)
	body := []byte(`{"batch":[` + strings.Repeat(large+","+escaped+",", 49) + small + `]}`)
	require.NoError(t, p.Parse(body, payload.DefaultLimits))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if p.Parse(body, payload.DefaultLimits) != nil || p.Accepted != 99 {
			t.Fatal("not accepted")
		}
	}))
}

func BenchmarkParse(b *testing.B) {
	p := payload.New(&EventFormat)
	body := []byte(fmt.Sprintf(`{"batch":[%s%s]}`, strings.Repeat(large+",", 99), large))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if p.Parse(body, payload.DefaultLimits) != nil || p.Accepted != 100 {
			b.Fatal("not accepted")
		}
	}
}
