package credential

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPassword_FileIsReadForEachConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	p := Password{PasswordFile: file}
	for text, want := range map[string]string{"first\n": "first", " second \r\n": " second ", "third": "third"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.NoError(t, p.Check("x-"))
		got, err := p.Read()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.False(t, p.IsZero())
	require.True(t, (&Password{}).IsZero())
}

func TestTokenKey_FromFlagOrFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("canary\n"), 0o600))
	for _, k := range []TokenKey{{TokenKey: "canary"}, {TokenKeyFile: file}} {
		text, err := k.Read()
		require.NoError(t, err)
		require.Equal(t, "canary", text)
	}
	for want, k := range map[string]TokenKey{
		"--token-key and --token-key-file are both set": {"canary", file},
		"the key cannot be read: open /nowhere":         {"", "/nowhere"},
	} {
		_, err := k.Read()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestPassword_Invalid_IsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for want, p := range map[string]Password{
		"--x-password and --x-password-file are both set: leave one of them out":         {"canary", empty},
		"--x-password-file: " + empty + " holds no password: write it there":             {"", empty},
		"--x-password-file: the password cannot be read: open /nowhere: no such file or": {"", "/nowhere"},
	} {
		err := p.Check("x-")
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
	require.NoError(t, (&Password{Password: "p"}).Check("x-"))
}
