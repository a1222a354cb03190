package segment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/payload"
)

const track = `{"type":"track","event":"E"}`

func TestVerdicts(t *testing.T) {
	for message, want := range map[string]*payload.Reason{
		track: payload.Accepted,
		`{"type":"track","event":"E","properties":{}}`:                                 payload.Accepted,
		`{"type":"track","event":"E","properties":null}`:                               payload.Accepted,
		`{"type":"track","event":" E"}`:                                                payload.Accepted,
		`{"type":"track","event":"É"}`:                                                 payload.Accepted,
		`{"type":"track","event":"\u0045"}`:                                            payload.Accepted,
		`{"\u0074ype":"\u0074rack","event":"E"}`:                                       payload.Accepted,
		`{"type":"track","event":"","properties":{"gf_event_type":"X"}}`:               payload.Accepted,
		`{"type":"track","properties":{"a":{"gf_event_type":""},"gf_event_type":"X"}}`: payload.Accepted,
		`{"type":"track","event":null,"properties":{"gf_event_type":"X"}}`:             payload.Accepted,
		`{"type":"page"}`: payload.Accepted,
		`{"type":"screen","name":5,"properties":null}`: payload.Accepted,
		`{"type":"identify","properties":5}`:           Ignored,
		`{"type":"group"}`:                             Ignored,
		`{"type":"alias"}`:                             Ignored,
		`{"type":"delete","userId":"u"}`:               Ignored,
		`{"type":"\u0061lias"}`:                        Ignored,
		`{"type":""}`:                                  UnknownType,
		`{"type":"Track","event":"E"}`:                 UnknownType,
		`{"type":"TRACK","event":"E"}`:                 UnknownType,
		`{"type":"track ","event":"E"}`:                UnknownType,
		`{"type":"Identify"}`:                          UnknownType,
		`{"type":"bogus"}`:                             UnknownType,
		`{"type":"bogus","properties":5}`:              UnknownType,
		`{"type":"track","event":"E","type":"alias"}`:  Ignored,
		`{"type":"track","event":"E","batch":5}`:       payload.Accepted,
		`5`:                                            NotAMessage,
		`"track"`:                                      NotAMessage,
		`null`:                                         NotAMessage,
		`true`:                                         NotAMessage,
		`[]`:                                           NotAMessage,
		`[` + track + `]`:                              NotAMessage,
		`{}`:                                           NotAMessage,
		`{"event":"E"}`:                                NotAMessage,
		`{"TYPE":"track","event":"E"}`:                 NotAMessage,
		`{"type":null}`:                                NotAMessage,
		`{"type":["track"]}`:                           NotAMessage,
		`{"type":"track"}`:                             MissingEvent,
		`{"type":"track","Event":"E"}`:                 MissingEvent,
		`{"type":"track","event":""}`:                  MissingEvent,
		`{"type":"track","event":" \t\u00a0"}`:         MissingEvent,
		`{"type":"track","event":5}`:                   MissingEvent,
		`{"type":"track","event":{}}`:                  MissingEvent,
		`{"type":"track","event":"E","event":null}`:    MissingEvent,
		`{"type":"track","properties":{"gf_event_type":""}}`:             MissingEvent,
		`{"type":"track","properties":{"gf_event_type":5}}`:              MissingEvent,
		`{"type":"track","properties":{"nested":{"gf_event_type":"X"}}}`: MissingEvent,
		`{"type":"track","event":"E","properties":[]}`:                   InvalidProperties,
		`{"type":"track","event":"E","properties":"{}"}`:                 InvalidProperties,
		`{"type":"page","properties":0}`:                                 InvalidProperties,
		`{"type":"screen","properties":false}`:                           InvalidProperties,
		`{"type":"track","event":"E","properties":{},"properties":1}`:    InvalidProperties,
	} {
		p := payload.New(&Format)
		require.NoError(t, p.Parse([]byte("["+track+","+message+"]"), payload.DefaultLimits))
		require.Equal(t, want, p.Messages[1].Reason, message)
		require.Equal(t, message, string(p.Messages[1].Raw))
	}
}

// All messages of a user have one key hash, however the id is written. A message without a user has the hash of its id, else
// of its bytes, so that a duplicate has the same.
func TestKeyHash_FollowsTheUser(t *testing.T) {
	seen := map[uint32]bool{}
	for _, same := range [][]string{
		{`"userId":"ada"`, `"userId":"\u0061da"`, `"anonymousId":"b","userId":"ada"`, `"userId":"b","userId":"ada"`, `"userId":null,"anonymousId":"ada"`, `"userId":"","anonymousId":"ada"`, `"userId":" \u0009","anonymousId":"ada"`, `"userId":"ada","messageId":"m"`},
		{`"userId":12`, `"userId":"12"`, `"userId":{},"anonymousId":12`, `"anonymousId":"12","timestamp":"2026-05-18T12:00:00Z"`},
		{`"messageId":"m"`, `"messageId":"m","userId":null`, `"userId":[],"messageId":"m","timestamp":"2026-05-18T12:00:00Z"`},
		{`"x":1`, `"x":1`},
		{`"x":2`},
	} {
		first := keyHash(t, same[0])
		for _, members := range same {
			require.Equal(t, first, keyHash(t, members), members)
		}
		require.NotContains(t, seen, first)
		seen[first] = true
	}
}

func keyHash(t *testing.T, members string) uint32 {
	p := payload.New(&Format)
	p.HashKeys = true
	require.NoError(t, p.Parse([]byte(`{"batch":[{"type":"track","event":"E",`+members+`}]}`), payload.DefaultLimits))
	return p.Messages[0].KeyHash
}
