package cli

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/schemas"
)

func TestVersion_NamesReleaseGoAndSchema(t *testing.T) {
	require.Regexp(t, `^dev \(commit ([0-9a-f]{12}|unknown), `, Version())
	require.Contains(t, Version(), runtime.Version())
	require.Contains(t, Version(), "schema "+schemas.Newest()+")")
	require.Regexp(t, `^\d{5}$`, schemas.Newest())
}
