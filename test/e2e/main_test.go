package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

// bin holds the binaries under test, built from the tree as it is.
var bin = filepath.Join("..", "..", "bin", "e2e")

var build = sync.OnceValue(func() error {
	command := exec.Command("go", "build", "-trimpath", "-o", bin+string(filepath.Separator), "../../cmd/...")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the binaries: %w: %s", err, out)
	}
	return nil
})

func binary(t testing.TB, name string) string {
	t.Helper()
	require.NoError(t, build())
	path, err := filepath.Abs(filepath.Join(bin, name))
	require.NoError(t, err)
	return path
}
