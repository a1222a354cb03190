package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// pack makes an npm tarball of one file.
func pack(t *testing.T, name, content string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
	_, err := archive.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())
	return packed.Bytes()
}

func integrityOf(packed []byte) string {
	sum := sha512.Sum512(packed)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// stubNpm puts an npm on PATH that hands out one tarball, and has the cache folder be a new one.
func stubNpm(t *testing.T, packed []byte) (cache string) {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "package"), packed, 0o644))
	script := fmt.Sprintf("#!/bin/sh\nwhile [ \"$1\" != --pack-destination ]; do shift; done\ncp %q \"$2/package.tgz\"\n",
		filepath.Join(bin, "package"))
	return stubNpmScript(t, script)
}

func stubNpmScript(t *testing.T, script string) (cache string) {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cache = t.TempDir()
	t.Setenv(CacheEnv, cache)
	return cache
}

// pin has this platform's package be another one for the test.
func pin(t *testing.T, pkg enginePackage) {
	t.Helper()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	real := enginePackages[platform]
	enginePackages[platform] = pkg
	t.Cleanup(func() { enginePackages[platform] = real })
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			names = append(names, filepath.Base(path))
		}
		return err
	}))
	return names
}

func TestFetchVerifiesAndUnpacks(t *testing.T) {
	packed := pack(t, "package/libchdb.so", "the engine")
	cache := stubNpm(t, packed)
	pin(t, enginePackage{name: "@test/engine", integrity: integrityOf(packed), packedBytes: int64(len(packed))})

	var last, total int64
	engine, err := FetchEngine(testContext(t), func(done, of int64) { last, total = done, of })
	require.NoError(t, err)
	require.Equal(t, int64(len(packed)), last)
	require.Equal(t, int64(len(packed)), total)
	content, err := os.ReadFile(engine.Library)
	require.NoError(t, err)
	require.Equal(t, "the engine", string(content))
	require.Equal(t, []string{filepath.Base(engine.Library)}, filesIn(t, cache), "the download was left behind")
}

func TestAFetchedEngineIsNotFetchedAgain(t *testing.T) {
	packed := pack(t, "package/libchdb.so", "the engine")
	stubNpm(t, packed)
	pin(t, enginePackage{name: "@test/engine", integrity: integrityOf(packed)})
	first, err := FetchEngine(testContext(t), nil)
	require.NoError(t, err)

	t.Setenv("PATH", t.TempDir())
	again, err := FetchEngine(testContext(t), nil)
	require.NoError(t, err)
	require.Equal(t, first, again)
	found, ok := FindEngine("")
	require.True(t, ok)
	require.Equal(t, first, found)
}

func TestFetchesAtOnceAgree(t *testing.T) {
	packed := pack(t, "package/libchdb.so", "the engine")
	cache := stubNpm(t, packed)
	pin(t, enginePackage{name: "@test/engine", integrity: integrityOf(packed)})

	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() { _, errs[i] = FetchEngine(t.Context(), nil) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, filesIn(t, cache), 1)
}

func TestFetchRefuses(t *testing.T) {
	good := pack(t, "package/libchdb.so", "the engine")
	tests := map[string]struct {
		packed    []byte
		integrity string
		want      string
	}{
		"another package":    {good, enginePackages["linux/amd64"].integrity, "refusing to run it"},
		"a changed byte":     {append(good[:len(good):len(good)], 0), integrityOf(good), "refusing to run it"},
		"no library inside":  {pack(t, "package/index.js", "x"), integrityOf(pack(t, "package/index.js", "x")), "holds no libchdb"},
		"a cut-off package":  {good[:len(good)/2], integrityOf(good[:len(good)/2]), "unpack"},
		"something else":     {[]byte("<html>"), integrityOf([]byte("<html>")), "unpack"},
		"else and unpinned":  {[]byte("<html>"), "", "unpack"},
		"else and unwelcome": {[]byte("<html>"), integrityOf(good), "refusing to run it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cache := stubNpm(t, test.packed)
			pin(t, enginePackage{name: "@test/engine", integrity: test.integrity})
			_, err := FetchEngine(testContext(t), nil)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "@test/engine@"+engineVersion)
			require.Empty(t, filesIn(t, cache))
		})
	}
}

func TestFetchSaysWhatNpmSaid(t *testing.T) {
	cache := stubNpmScript(t, "#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n")
	pin(t, enginePackage{name: "@test/engine"})
	_, err := FetchEngine(testContext(t), nil)
	require.ErrorContains(t, err, "npm error code E404")
	require.Empty(t, filesIn(t, cache))
}

func TestFetchWithoutNpmSaysWhatToDo(t *testing.T) {
	t.Setenv(CacheEnv, t.TempDir())
	t.Setenv("PATH", t.TempDir())
	pin(t, enginePackage{name: "@test/engine"})
	_, err := FetchEngine(testContext(t), nil)
	require.ErrorIs(t, err, ErrNoNpm)
	require.ErrorContains(t, err, "install Node.js")
}
