package token

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseKeyReadsEveryEncoding(t *testing.T) {
	material := []byte(strings.Repeat("\xfb\xff\x00k", 10)) // has + and / in base64
	want, err := newKey(material)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"standard":     base64.StdEncoding.EncodeToString(material),
		"standard raw": base64.RawStdEncoding.EncodeToString(material),
		"url":          base64.URLEncoding.EncodeToString(material),
		"url raw":      base64.RawURLEncoding.EncodeToString(material),
		"hex":          hex.EncodeToString(material),
		"upper hex":    strings.ToUpper(hex.EncodeToString(material)),
		"from a file":  "\n " + want.Text() + "\r\n",
	} {
		got, err := ParseKey(text)
		require.NoError(t, err, name)
		require.Equal(t, **want.keys, **got.keys, name)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "empty",
		" \n":                                "empty",
		"canary key, not base64":             "neither base64 nor hex",
		strings.Repeat("ab", 31):             "31 bytes, at least 32",
		strings.Repeat("ab", 32) + "a":       "odd number",
		strings.Repeat("canary", 3) + "xx+/": "bytes, at least 32",
		strings.Repeat("canary", 9) + "$":    "neither base64 nor hex",
	} {
		_, err := ParseKey(text)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestNewKeysDiffer(t *testing.T) {
	require.NotEqual(t, NewKey().Text(), NewKey().Text())
	require.True(t, Key{}.IsZero())
	require.False(t, NewKey().IsZero())
}

func TestSubKeysDiffer(t *testing.T) {
	k := *NewKey().keys
	require.NotEqual(t, k.check, k.derive)
	require.NotEqual(t, k.check, k.memo)
	require.NotEqual(t, k.derive, k.memo)
}

// The sums are held to crypto/hmac and crypto/hkdf, which are too slow for each event.
func TestMacAgreesWithTheStandardLibrary(t *testing.T) {
	k := NewKey()
	sub, err := hkdf.Key(sha256.New, (*k.keys).material, nil, "millrace token v1: memo", 32)
	require.NoError(t, err)
	for _, text := range []string{"", "x", strings.Repeat("long", 100)} {
		h := hmac.New(sha256.New, sub)
		h.Write([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x00\x00\x00\x00\x02id"))
		h.Write([]byte{0, 0, 0, 0, 0, 0, byte(len(text) >> 8), byte(len(text))})
		h.Write([]byte(text))
		sum := k.ProofMAC("id", 0x0102030405060708, []byte(text))
		require.Equal(t, h.Sum(nil), sum[:])
	}
}

func TestProofMAC_DistinguishesItsInputs(t *testing.T) {
	k, b := NewKey(), func(s string) []byte { return []byte(s) }
	seen := map[[32]byte]bool{}
	for _, memo := range [][32]byte{
		k.ProofMAC("a", 1, b("bc")), k.ProofMAC("ab", 1, b("c")), k.ProofMAC("a", 2, b("bc")), k.ProofMAC("a", 1, b("b"), b("c")),
		k.ProofMAC("a", 1, b("bc"), nil), k.ProofMAC("a", 1, nil, b("bc")), k.ProofMAC("a", 1), NewKey().ProofMAC("a", 1, b("bc")),
	} {
		require.False(t, seen[memo])
		seen[memo] = true
	}
	require.Equal(t, k.ProofMAC("a", 1, b("bc")), k.ProofMAC("a", 1, b("bc")))
}

func TestParseKey_NotRandom_IsRejected(t *testing.T) {
	for range 100 {
		require.True(t, NewKey().LooksRandom())
	}
	for _, text := range []string{strings.Repeat("ab", 32), strings.Repeat("00112233445566778899aabbccddeeff", 2)} {
		key, err := ParseKey(text)
		require.NoError(t, err)
		require.False(t, key.LooksRandom())
	}
}

func TestFingerprintsAreOfTheKey(t *testing.T) {
	key := NewKey()
	same, err := ParseKey(key.Text())
	require.NoError(t, err)
	require.Equal(t, key.Fingerprint(), same.Fingerprint())
	require.Len(t, key.Fingerprint(), 8)
	require.NotEqual(t, key.Fingerprint(), NewKey().Fingerprint())
}
