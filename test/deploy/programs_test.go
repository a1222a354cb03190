package deploy

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.." // the project

// built builds the programs as "make build" does, with the same cache.
var built = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join(root, "bin"))
	if err != nil {
		return "", err
	}
	command := exec.Command("go", "build", "-trimpath", "-o", dir+string(filepath.Separator), "./cmd/...")
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w: %s", err, out)
	}
	return dir, nil
})

// run starts a program with only these variables, and returns its output.
func run(t *testing.T, program string, env map[string]string, args ...string) (said string, err error) {
	t.Helper()
	dir, err := built()
	require.NoError(t, err)
	command := exec.Command(filepath.Join(dir, program), args...)
	command.Env = []string{} // not none: that would be ours
	for name, value := range env {
		command.Env = append(command.Env, name+"="+value)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	return out.String(), err
}

var variable = regexp.MustCompile(`\$(MILLRACE_[A-Z0-9_]+)`)

var known sync.Map // of a program and its command: the variables

// variables are the variables that a program's command reads.
func variables(t *testing.T, program string, args ...string) []string {
	t.Helper()
	key := fmt.Sprint(program, args)
	if names, ok := known.Load(key); ok {
		return names.([]string)
	}
	help, err := run(t, program, nil, append(args, "--help")...)
	require.NoError(t, err, help)
	var names []string
	for _, found := range variable.FindAllStringSubmatch(help, -1) {
		names = append(names, found[1])
	}
	require.NotEmpty(t, names)
	known.Store(key, names)
	return names
}

// takes checks that a program reads all MILLRACE_ variables in env, and accepts their values where it can check them
// without starting. Variables of the program's other commands are allowed.
func takes(t *testing.T, program string, env map[string]string, args ...string) {
	t.Helper()
	names := variables(t, program, args...)
	for name := range env {
		if strings.HasPrefix(name, "MILLRACE_") {
			require.Contains(t, names, name, "%s %v does not know it", program, args)
		}
	}
	if slices.Contains(names, "MILLRACE_DRY_RUN") {
		said, err := run(t, program, env, append(args, "--dry-run")...)
		require.NoError(t, err, "%s %v: %s", program, args, said)
	}
}

// Control: takes can fail.
func TestPrograms_InvalidVariables_AreRefused(t *testing.T) {
	require.NotContains(t, variables(t, "edge"), "MILLRACE_CLICKHOUSE")
	require.Contains(t, variables(t, "loader"), "MILLRACE_CLICKHOUSE")
	said, err := run(t, "edge", map[string]string{"MILLRACE_BROKERS": "kafka:9092"}, "--dry-run")
	require.Error(t, err)
	require.Contains(t, said, "MILLRACE_TOKEN_KEY")
	said, err = run(t, "loader", map[string]string{"MILLRACE_BROKERS": "kafka:9092", "MILLRACE_BLOCK_ROWS": "many"}, "--dry-run")
	require.Error(t, err)
	require.Contains(t, said, "block-rows")
	said, err = run(t, "loader", map[string]string{"MILLRACE_BROKERS": "kafka:9092", "MILLRACE_ADMIN": "127.0.0.1:1"}, "--healthcheck")
	require.Error(t, err)
	require.Contains(t, said, "nothing answers")
}
