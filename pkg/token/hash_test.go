package token

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/scrypt"
)

var cheap = Cost{LogN: 4, R: 8, P: 1}

func TestHashVerifies(t *testing.T) {
	for _, cost := range []Cost{cheap, {LogN: 1, R: 1, P: 1}, {LogN: 3, R: 2, P: 5}} {
		hash, err := cost.Hash([]byte("text"))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(hash.Reveal(), "$scrypt$"+cost.String()+"$"))
		require.NotContains(t, hash.Reveal(), "text")
		require.NoError(t, CheckHash(hash))
		for text, want := range map[string]bool{"text": true, "Text": false, "": false, "text ": false} {
			ok, err := Verify(hash, []byte(text))
			require.NoError(t, err)
			require.Equal(t, want, ok, text)
		}
		again, err := cost.Hash([]byte("text"))
		require.NoError(t, err)
		require.NotEqual(t, hash.Reveal(), again.Reveal(), "salted")
	}
}

func TestDefaultCost_MatchesTheContract(t *testing.T) {
	hash, err := DefaultCost.Hash([]byte("text"))
	require.NoError(t, err)
	parts := strings.Split(hash.Reveal(), "$")
	require.Equal(t, []string{"", "scrypt", "ln=15,r=8,p=1"}, parts[:3])
	salt, err := base64.RawStdEncoding.DecodeString(parts[3])
	require.NoError(t, err)
	want, err := scrypt.Key([]byte("text"), salt, 32768, 8, 1, 32)
	require.NoError(t, err)
	require.Equal(t, base64.RawStdEncoding.EncodeToString(want), parts[4])
}

func TestVerifyRefusesHostileHashes(t *testing.T) {
	hash, err := cheap.Hash([]byte("canary"))
	require.NoError(t, err)
	valid := hash.Reveal()
	tail := strings.SplitN(valid, "$", 4)[3]
	for _, text := range []string{
		"", "$", "$$$$", "scrypt", valid[1:], valid + "$", valid + "A", valid[:len(valid)-1], valid + strings.Repeat(" ", 300),
		valid + "\n", strings.Replace(valid, tail, tail[:5]+"\r"+tail[5:], 1),
		strings.Replace(valid, "scrypt", "argon2id", 1), "x" + valid,
		"$scrypt$ln=40,r=8,p=1$" + tail, "$scrypt$ln=23,r=8,p=1$" + tail, "$scrypt$ln=20,r=8,p=1$" + tail, "$scrypt$ln=15,r=64,p=64$" + tail,
		"$scrypt$ln=0,r=8,p=1$" + tail, "$scrypt$ln=-4,r=8,p=1$" + tail, "$scrypt$ln=4,r=0,p=1$" + tail, "$scrypt$ln=4,r=8,p=0$" + tail,
		"$scrypt$ln=4,r=99999999999999999999,p=1$" + tail, "$scrypt$ln=+4,r=8,p=1$" + tail, "$scrypt$ln=04,r=8,p=1$" + tail,
		"$scrypt$ln=4,r=8,p=1,x=2$" + tail, "$scrypt$ln=4,r=8$" + tail, "$scrypt$ln=4, r=8, p=1$" + tail,
		"$scrypt$ln=4,r=8,p=1$$" + strings.Split(tail, "$")[1], "$scrypt$ln=4,r=8,p=1$" + strings.Split(tail, "$")[0] + "$",
	} {
		_, err := Verify(NewSecret(text), []byte("canary"))
		require.ErrorIs(t, err, errHash, text)
		require.Error(t, CheckHash(NewSecret(text)))
	}
}

func TestHashRefusesACostOutOfBounds(t *testing.T) {
	for _, cost := range []Cost{{}, {LogN: 25, R: 8, P: 1}, {LogN: 20, R: 8, P: 1}, {LogN: 4, R: 65, P: 1}, {LogN: 4, R: 8, P: 65}, {LogN: -1, R: 8, P: 1}} {
		_, err := cost.Hash([]byte("canary"))
		require.ErrorContains(t, err, "out of bounds")
		require.NotContains(t, err.Error(), "canary")
	}
}

func FuzzParseHash(f *testing.F) {
	hash, err := cheap.Hash([]byte("text"))
	require.NoError(f, err)
	for _, seed := range []string{hash.Reveal(), "", "$scrypt$ln=40,r=8,p=1$$", "$scrypt$ln=4,r=8,p=1$AA$AA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cost, salt, sum, err := parseHash(text)
		if err != nil {
			return
		}
		b64 := base64.RawStdEncoding
		require.Equal(t, text, "$scrypt$"+cost.String()+"$"+b64.EncodeToString(salt)+"$"+b64.EncodeToString(sum))
		require.LessOrEqual(t, cost.R*cost.P<<cost.LogN, maxWork)
	})
}

func BenchmarkHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DefaultCost.Hash([]byte("text")); err != nil {
			b.Fatal(err)
		}
	}
}
