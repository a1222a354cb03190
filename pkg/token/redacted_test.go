package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each type is printed in every way and from every place a careless line could print it.
func TestSecretsAndKeys_AreNeverPrinted(t *testing.T) {
	key := NewKey()
	material := (*key.keys).material
	type inside struct {
		Shown  any
		hidden any
		key    Key
		secret Secret
	}
	for _, value := range []any{key, &key, NewSecret("canary"), new(NewSecret("canary"))} {
		nested := inside{value, value, key, NewSecret("canary")}
		require.NotNil(t, nested.hidden)
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			fmt.Fprintf(&out, verb+"\n", value)
			fmt.Fprintf(&out, verb+"\n", nested)
			fmt.Fprintf(&out, verb+"\n", &nested)
			fmt.Fprintf(&out, verb+"\n", []any{nested})
		}
		for _, v := range []any{value, nested} {
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", v)
			b, err := json.Marshal(v)
			require.NoError(t, err)
			out.Write(b)
		}
		require.Contains(t, out.String(), redaction)
		for _, leak := range []string{
			"canary", "63616e617279", "63616E617279", "99 97 110 97 114 121", key.Text(),
			fmt.Sprintf("%v", material)[1:20], fmt.Sprintf("%x", material)[:20], fmt.Sprintf("%#v", material[:4])[7:],
		} {
			require.False(t, strings.Contains(out.String(), leak), leak)
		}
	}
}

func TestSecret(t *testing.T) {
	require.Equal(t, "canary", NewSecret("canary").Reveal())
	require.False(t, NewSecret("canary").IsZero())
	require.True(t, NewSecret("").IsZero())
	require.Empty(t, Secret{}.Reveal())
}
