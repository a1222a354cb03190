package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const anID = "aZ09aZ09aZ09aZ09"

func TestMintedTokensParse(t *testing.T) {
	key := NewKey()
	minted := key.Mint(anID).Reveal()
	require.Len(t, minted, Length)
	require.Regexp(t, `^mr1_aZ09aZ09aZ09aZ09_[0-9A-Za-z]{33}_[0-9A-Za-z]{17}$`, minted)
	require.NotEqual(t, minted, key.Mint(anID).Reveal())
	for _, text := range []string{minted, key.Derive(anID, "demo").Reveal()} {
		id, ok := key.Parse([]byte(text))
		require.True(t, ok)
		require.Equal(t, anID, string(id))
		_, ok = NewKey().Parse([]byte(text))
		require.False(t, ok, "another key's token")
	}
}

func TestDeriveIsRepeatable(t *testing.T) {
	key := NewKey()
	again, err := ParseKey(key.Text())
	require.NoError(t, err)
	require.Equal(t, key.Derive(anID, "demo").Reveal(), again.Derive(anID, "demo").Reveal())
	for _, other := range []Secret{key.Derive(anID, "demo2"), key.Derive("0"+anID[1:], "demo"), NewKey().Derive(anID, "demo")} {
		require.NotEqual(t, key.Derive(anID, "demo").Reveal()[secretAt:checkAt], other.Reveal()[secretAt:checkAt])
	}
}

func TestMintPanicsOnAnInvalidID(t *testing.T) {
	for _, id := range []string{"", "short", "with_underscore_", anID + "0"} {
		require.PanicsWithValue(t, "BUG: a token for an id that is not a connection id", func() { NewKey().Mint(id) })
	}
}

func TestConnectionID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewConnectionID()
		require.True(t, ValidConnectionID(id), id)
		require.False(t, seen[id])
		seen[id] = true
	}
	for _, id := range []string{"", "0", anID + "0", anID[1:], "aZ09aZ09aZ09aZ0_", "aZ09aZ09aZ09aZ0é"[:16], "aZ09aZ09aZ09aZ0 "} {
		require.False(t, ValidConnectionID(id), id)
	}
}

// Any change of one byte, and any change of length, is refused.
func TestParseRefusesEveryChange(t *testing.T) {
	key := NewKey()
	text := []byte(key.Mint(anID).Reveal())
	for i := range text {
		for _, c := range []byte("0aZ_-\x00\xff ") {
			if text[i] == c {
				continue
			}
			changed := append([]byte(nil), text...)
			changed[i] = c
			_, ok := key.Parse(changed)
			require.False(t, ok, i)
		}
		_, ok := key.Parse(text[:i])
		require.False(t, ok)
		_, ok = key.Parse(append(append([]byte(nil), text...), text[:i+1]...))
		require.False(t, ok)
	}
}

func TestBase62AgreesWithBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SliceOfN(rapid.Byte(), 24, 24).Draw(t, "number")
		var digits [secretLength]byte
		base62(digits[:], number)
		want := new(big.Int).SetBytes(number)
		got := new(big.Int)
		for _, c := range digits {
			got.Mul(got, big.NewInt(62)).Add(got, big.NewInt(int64(strings.IndexByte(alphabet, c))))
		}
		require.Zero(t, want.Cmp(got), "%x", number)
	})
}

// FuzzParse holds Parse to a slow reading of the same rule.
func FuzzParse(f *testing.F) {
	key, err := ParseKey(strings.Repeat("ab", 32))
	require.NoError(f, err)
	valid := key.Derive(anID, "fuzz").Reveal()
	shape := regexp.MustCompile(`^mr1_([0-9A-Za-z]{16})_[0-9A-Za-z]{33}_([0-9A-Za-z]{17})$`)
	for _, seed := range []string{
		valid, "", "mr1_", "mr2" + valid[3:], valid[:Length-1], valid + "\n", valid[:secretAt] + strings.Repeat("z", secretLength) + valid[checkAt-1:],
		strings.ToLower(valid), strings.Replace(valid, "_", "-", 2), NewKey().Mint(anID).Reveal(),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		id, ok := key.Parse(text)
		want := false
		if match := shape.FindSubmatch(text); match != nil && len(text) == Length {
			h := hmac.New(sha256.New, subKey((*key.keys).check))
			h.Write(append(make([]byte, 23), byte(checkAt-1))) // number, id and the text's length
			h.Write(text[:checkAt-1])
			var check [checkLength]byte
			base62(check[:], h.Sum(nil)[:checkBytes])
			want = string(check[:]) == string(match[2])
			require.Equal(t, want, ok)
			if ok {
				require.Equal(t, match[1], id)
			}
		}
		require.Equal(t, want, ok)
	})
}

// subKey takes the pad off again.
func subKey(k macKey) []byte {
	key := make([]byte, len(k.inner))
	for i, b := range k.inner {
		key[i] = b ^ 0x36
	}
	return key
}

func TestParseAndProofMAC_AllocateNothing(t *testing.T) {
	key := NewKey()
	text, secret := []byte(key.Mint(anID).Reveal()), []byte("a shared secret")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, ok := key.Parse(text); !ok {
			t.Fatal("refused")
		}
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if key.ProofMAC(anID, 1, text, secret) == [32]byte{} {
			t.Fatal("no sum")
		}
	}))
}

func BenchmarkParse(b *testing.B) {
	key := NewKey()
	valid := []byte(key.Mint(anID).Reveal())
	forged := []byte(NewKey().Mint(anID).Reveal())
	for name, text := range map[string][]byte{"valid": valid, "forged": forged, "malformed": valid[1:]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := key.Parse(text); ok != (name == "valid") {
					b.Fatal(ok)
				}
			}
		})
	}
}
