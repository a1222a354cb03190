package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	gojson "github.com/goccy/go-json"
	"github.com/stretchr/testify/require"
)

const depth = 64

// corpus are texts whose verdict is known, and the seeds of the fuzz test.
var corpus = []struct {
	text  string
	valid bool
}{
	{`null`, true},
	{`true`, true},
	{`false`, true},
	{` "x" `, true},
	{"\t[\r\n]", true},
	{`{}`, true},
	{`{ }`, true},
	{`[ ]`, true},
	{`[[],{}]`, true},
	{`{"a":{"b":[1,2,{"c":null}]}}`, true},
	{`{"":0}`, true},
	{`{"a":1,"a":2}`, true},
	{`[1,[2,[3]]]`, true},
	{`{"a" : 1 , "b" : 2 }`, true},
	{`0`, true},
	{`-0`, true},
	{`-0.0e-0`, true},
	{`1e5`, true},
	{`1E+5`, true},
	{`123.456`, true},
	{`123456789012345678901234567890`, true},
	{`1e999999`, true},
	{`0.1e1`, true},
	{`""`, true},
	{`"\"\\\/\b\f\n\r\t"`, true},
	{`"\u0000"`, true},
	{`"\ud800"`, true},
	{`"\uD83D\uDE00"`, true},
	{`"é😀"`, true},
	{"\"\x7f\"", true},
	{"\"\u2028\"", true},
	{`"aaaaaaa\""`, true},
	{`"aaaaaaaa\u00e9"`, true},

	{``, false},
	{` `, false},
	{`nul`, false},
	{`nulll`, false},
	{`True`, false},
	{`NaN`, false},
	{`Infinity`, false},
	{`undefined`, false},
	{`'a'`, false},
	{`"a`, false},
	{`"`, false},
	{`"\`, false},
	{`"\"`, false},
	{`"\x"`, false},
	{`"\u12"`, false},
	{`"\u12G4"`, false},
	{`"\u"`, false},
	{`"\U1234"`, false},
	{"\"\n\"", false},
	{"\"\t\"", false},
	{"\"\x00\"", false},
	{"\"aaaaaaaaaaaaaa\x1f\"", false},
	{`01`, false},
	{`-01`, false},
	{`-`, false},
	{`+1`, false},
	{`.5`, false},
	{`5.`, false},
	{`1.e1`, false},
	{`1e`, false},
	{`1e+`, false},
	{`0x10`, false},
	{`1_000`, false},
	{`--1`, false},
	{`1.2.3`, false},
	{`1 2`, false},
	{`[`, false},
	{`]`, false},
	{`[1`, false},
	{`[1,`, false},
	{`[1,]`, false},
	{`[,1]`, false},
	{`[1,,2]`, false},
	{`[1 2]`, false},
	{`[1}`, false},
	{`[}`, false},
	{`{]`, false},
	{`{`, false},
	{`{"a"`, false},
	{`{"a":`, false},
	{`{"a":1`, false},
	{`{"a":1,`, false},
	{`{"a":1,}`, false},
	{`{,}`, false},
	{`{"a",1}`, false},
	{`{a:1}`, false},
	{`{1:1}`, false},
	{`{"a":1 "b":2}`, false},
	{`{"a"::1}`, false},
	{`{null:1}`, false},
	{`{}{}`, false},
	{`[]]`, false},
	{`[1]x`, false},
	{`//c` + "\n1", false},
	{`/**/1`, false},
	{"\ufeff1", false},
	{"\u00a01", false},
	{"1\x00", false},
	{"\x0c1", false},
	{"\"\xff\"", false},
	{"\"\xc0\xaf\"", false},
	{"\"\xed\xa0\x80\"", false},
	{"[\"\xe4\xbd\"]", false},
	{"{\"a\xff\":1}", false},
}

func TestCheck(t *testing.T) {
	for _, c := range corpus {
		err := Check([]byte(c.text), depth)
		require.Equal(t, c.valid, err == nil, "%q: %v", c.text, err)
	}
}

func TestCheckDepth(t *testing.T) {
	for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		nest := func(n int) []byte {
			return []byte(strings.Repeat(pair[0], n) + "1" + strings.Repeat(pair[1], n))
		}
		require.NoError(t, Check(nest(depth), depth))
		require.ErrorIs(t, Check(nest(depth+1), depth), ErrDepth)
	}
	require.NoError(t, Check([]byte("["+strings.Repeat("[],", 1000)+"[]]"), 2), "siblings do not add up")
}

// A parser that nests by recursion without a cap dies of this body, one that validates afterwards
// reads all of it.
func TestCheckHostileNesting(t *testing.T) {
	require.ErrorIs(t, Check(bytes.Repeat([]byte("["), 8<<20), depth), ErrDepth)
	require.ErrorIs(t, Check(bytes.Repeat([]byte(`{"a":`), 1<<20), depth), ErrDepth)
}

func TestSyntaxErrorSaysWhereAndQuotesNothing(t *testing.T) {
	err := Check([]byte(`{"email":"ada@example.com",}`), depth)
	var syntax *SyntaxError
	require.ErrorAs(t, err, &syntax)
	require.Equal(t, 27, syntax.Offset)
	require.NotContains(t, err.Error(), "ada")
}

func TestScannerWalksObjects(t *testing.T) {
	var got []string
	s := NewScanner([]byte(` { "a" : 1 ,"b":[1, {"x":2}], "\u0061\"":"v\n", "a":null , "c" :{}} `), depth)
	for s.Enter('{'); s.More('}'); {
		name, value := s.Member(), s.Skip()
		got = append(got, fmt.Sprintf("%s=%s/%d", name, value, KindOf(value)))
	}
	s.End()
	require.NoError(t, s.Err())
	require.Equal(t, []string{`a=1/3`, `b=[1, {"x":2}]/5`, `a"="v\n"/4`, `a=null/1`, `c={}/6`}, got)
}

func TestScannerWalksArrays(t *testing.T) {
	var got []string
	s := NewScanner([]byte(`[ 1 , [ ] ,"x"]`), depth)
	for s.Enter('['); s.More(']'); {
		got = append(got, string(s.Skip()))
	}
	s.End()
	require.NoError(t, s.Err())
	require.Equal(t, []string{`1`, `[ ]`, `"x"`}, got)
}

func TestScannerRefusesWhatCheckRefuses(t *testing.T) {
	for _, c := range corpus {
		if walkErr := walk([]byte(c.text)); utf8.ValidString(c.text) {
			require.Equal(t, c.valid, walkErr == nil, "%q: %v", c.text, walkErr)
		}
	}
}

// walk goes through the top of a text by the Scanner's own steps.
func walk(b []byte) error {
	s := NewScanner(b, depth)
	switch s.Peek() {
	case '{':
		for s.Enter('{'); s.More('}'); {
			s.Member()
			s.Skip()
		}
	case '[':
		for s.Enter('['); s.More(']'); {
			s.Skip()
		}
	default:
		s.Skip()
	}
	s.End()
	return s.Err()
}

func TestKindOf(t *testing.T) {
	for text, want := range map[string]Kind{``: None, `null`: Null, `true`: Bool, `false`: Bool, `-1`: Number, `7`: Number, `""`: String, `[]`: Array, `{}`: Object} {
		require.Equal(t, want, KindOf([]byte(text)), text)
	}
}

func TestAppendUnquoted(t *testing.T) {
	for _, c := range corpus {
		text := strings.TrimSpace(c.text)
		if !c.valid || !strings.HasPrefix(text, `"`) {
			continue
		}
		var want string
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		require.Equal(t, want, string(AppendUnquoted(nil, []byte(text))), text)
	}
}

func TestAppendID_LoneSurrogates_StayDifferent(t *testing.T) {
	for literal, want := range map[string]string{
		`"m\ud800"`: `m\ud800`, `"m\uDBFF"`: `m\udbff`, `"m\udc00"`: `m\udc00`, `"m\ufffd"`: "m\ufffd", "\"m\ufffd\"": "m\ufffd",
		`"\ud800\ud800x"`: `\ud800\ud800x`, `"\udc00\ud83d\ude00"`: `\udc00😀`, `"\ud83d\ude00"`: "😀", `"\ud800\u0041"`: `\ud800A`, `"a\"\n"`: "a\"\n",
	} {
		require.Equal(t, want, string(AppendID(nil, []byte(literal))), literal)
	}
}

func TestHasText(t *testing.T) {
	for value, want := range map[string]bool{
		`"a"`: true, `" a "`: true, `"é"`: true, `"\u0041"`: true, `"\ud800"`: true, `"\""`: true,
		`""`: false, `" \t\u00a0"`: false, `"\u2003"`: false, "\"\u2003\"": false, `5`: false, `null`: false, ``: false, `[]`: false,
	} {
		require.Equal(t, want, HasText([]byte(value)), value)
	}
}

// FuzzCheck holds Check to encoding/json, and go-json to it where it is known to be right.
func FuzzCheck(f *testing.F) {
	for _, c := range corpus {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := Check(b, depth)
		if errors.Is(err, ErrDepth) {
			return
		}
		want := json.Valid(b) && utf8.Valid(b)
		if walkErr := walk(b); utf8.Valid(b) && (walkErr == nil) != want {
			t.Fatalf("the Scanner says %v, encoding/json %v: %q", walkErr, want, b)
		}
		if (err == nil) != want {
			t.Fatalf("Check says %v, encoding/json %v: %q", err, want, b)
		}
		if err != nil {
			return
		}
		var v any
		if json.Unmarshal(b, &v) == nil { // a number can be too large for a float64
			compareWalk(t, b, v)
		}
	})
}

// compareWalk compares what our walkers find at the top with what encoding/json decodes.
func compareWalk(t *testing.T, b []byte, v any) {
	switch v := v.(type) {
	case string:
		require.Equal(t, v, string(AppendUnquoted(nil, bytes.TrimSpace(b))))
	case map[string]any:
		last := map[string][]byte{}
		s := NewScanner(b, depth)
		for s.Enter('{'); s.More('}'); {
			name := string(s.Member())
			last[name] = s.Skip()
		}
		require.NoError(t, s.Err())
		require.Len(t, last, len(v))
		for name, raw := range last {
			var got any
			require.NoError(t, json.Unmarshal(raw, &got))
			require.Equal(t, v[name], got)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	body := sample(100)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if Check(body, depth) != nil {
			t.Fatal("invalid")
		}
	}))
}

func sample(n int) []byte {
	one := `{"type":"track","event":"Order Completed","userId":"user_4711","messageId":"ajs-next-1747562400000-9d7f2c3e-1b2a-4c5d","timestamp":"2026-05-18T12:00:00.000Z","sentAt":"2026-05-18T12:00:00.100Z","context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","library":{"name":"analytics.js","version":"2.1.0"},"page":{"path":"/checkout","title":"Checkout","url":"https://shop.example.com/checkout"},"traits":{"email":"ada@example.com","name":"Ada Lovelace"},"groupId":"org_42"},"properties":{"revenue":49.0,"currency":"USD","plan":"pro","products":[{"sku":"A-1","price":19.5,"quantity":2},{"sku":"B-2","price":10}]}}`
	return []byte(`{"batch":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`)
}

func BenchmarkCheck(b *testing.B) {
	body := sample(100)
	for name, check := range map[string]func([]byte) bool{
		"rawjson":       func(b []byte) bool { return Check(b, depth) == nil },
		"go-json":       gojson.Valid,
		"encoding-json": json.Valid,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if !check(body) {
					b.Fatal("invalid")
				}
			}
		})
	}
}
