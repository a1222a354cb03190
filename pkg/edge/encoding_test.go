package edge

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/connection"
)

var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"zlib": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"raw":  func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, flate.BestSpeed); return f },
	"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 1) },
	"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

var encodingNames = map[string]string{"gzip": "gzip", "zlib": "deflate", "raw": "deflate", "br": "br", "zstd": "zstd"}

func pack(t testing.TB, compressor string, text string) string {
	t.Helper()
	var packed bytes.Buffer
	w := compressors[compressor](&packed)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return packed.String()
}

func TestEncodings(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	sent := 0
	for compressor, name := range encodingNames {
		packed := pack(t, compressor, "["+track+"]")
		for _, name := range []string{name, strings.ToUpper(name), " " + name + " "} {
			requireAnswer(t, r.post(s.path(), packed, "Content-Encoding", name), 200, accepted(1, 1, 0))
			sent++
		}
		t.Run("corrupt "+compressor, func(t *testing.T) {
			for _, body := range map[string]string{
				"not compressed": "[" + track + "]",
				"one byte":       packed[:1],
				"cut":            packed[:len(packed)/2],
				"altered head":   "\x00\x01" + packed[2:],
			} {
				requireAnswer(t, r.post(s.path(), body, "Content-Encoding", name), 400, saysUndecodable)
				requireAnswer(t, r.post(s.path(), packed, "Content-Encoding", name), 200, accepted(1, 1, 0)) // the pooled reader is good again
				sent++
			}
		})
	}
	for _, name := range []string{"identity", "Identity", ""} {
		requireAnswer(t, r.post(s.path(), track, "Content-Encoding", name), 200, accepted(1, 1, 0))
		sent++
	}
	requireAnswer(t, r.post(s.path(), pack(t, "gzip", track), "Content-Encoding", "x-gzip"), 200, accepted(1, 1, 0))
	sent++
	for _, name := range []string{"lzma", "compress", "gzip, gzip", "gzip, br", "identity, gzip", "*", "aws-chunked", "gzipp"} {
		requireAnswer(t, r.post(s.path(), pack(t, "gzip", track), "Content-Encoding", name), 415, saysBadEncoding)
	}
	twice := r.post(s.path(), pack(t, "gzip", track), "Content-Encoding", "gzip", "Content-Encoding", "br")
	requireAnswer(t, twice, 415, saysBadEncoding)
	require.Len(t, r.records(ingest), sent)
	r.requireNothingHeld()
}

// A body that goes on after the end of its compressed data is not what the sender meant to send.
func TestBytesAfterCompressedBody_AreRefused(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for compressor, name := range encodingNames {
		for _, behind := range []string{"x", "\x00", "[]", pack(t, "raw", track), strings.Repeat("x", 10_000)} {
			got := r.post(s.path(), pack(t, compressor, track)+behind, "Content-Encoding", name)
			require.Equal(t, 400, got.status, "%s and %.10q: %s", compressor, behind, got.body)
		}
		requireAnswer(t, r.post(s.path(), pack(t, compressor, track), "Content-Encoding", name), 200, accepted(1, 1, 0))
	}
	r.requireNothingHeld()
}

// padded is a valid body of n bytes.
func padded(n int) string {
	return track + strings.Repeat(" ", n-len(track))
}

func TestBodyLimit(t *testing.T) {
	r, _ := start(t, small)
	const limit = 64 << 10
	s := r.create(connection.CreateParams{})
	for _, n := range []int{limit - 1, limit, limit + 1, limit + 2, 2 * limit, 10 * limit} {
		want := answer{status: 200, body: accepted(1, 1, 0)}
		if n > limit {
			want = answer{status: 413, body: saysTooLarge}
		}
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			requireAnswer(t, r.post(s.path(), padded(n)), want.status, want.body)
			chunked := io.MultiReader(strings.NewReader(padded(n))) // of a length that the client does not know
			requireAnswer(t, r.do("POST", s.path(), chunked), want.status, want.body)
			for compressor, name := range encodingNames {
				requireAnswer(t, r.post(s.path(), pack(t, compressor, padded(n)), "Content-Encoding", name), want.status, want.body)
			}
		})
	}
	// What does not get smaller is measured as it was sent, too.
	noise := make([]byte, limit+1)
	requireAnswer(t, r.post(s.path(), string(noise), "Content-Encoding", "gzip"), 413, saysTooLarge)
	r.requireNothingHeld()
}

// allocated is how many bytes do allocates, in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDecompressionBomb_IsBounded(t *testing.T) {
	const (
		bombBytes = 32 << 20
		bound     = 24 << 20 // below that, and above what a body of 1 MiB and any decoder take
	)
	r, _ := start(t, func(c *Config) { c.MaxBodyBytes = 1 << 20 })
	s := r.create(connection.CreateParams{})
	for compressor, name := range encodingNames {
		var packed bytes.Buffer
		w := compressors[compressor](&packed)
		zeros := make([]byte, 1<<20)
		for range bombBytes / len(zeros) {
			_, err := w.Write(zeros)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.Less(t, packed.Len(), bombBytes/100, "no bomb")
		body := packed.String()
		took := allocated(func() {
			requireAnswer(t, r.post(s.path(), body, "Content-Encoding", name), 413, saysTooLarge)
		})
		require.Less(t, took, uint64(bound), compressor)
		r.requireNothingHeld()
	}
}

// A frame of zstd says how much memory it wants.
func TestZstdWindowsAreBounded(t *testing.T) {
	const magic = "\x28\xb5\x2f\xfd"
	last := func(content string) string {
		return string([]byte{byte(len(content)<<3 | 1), byte(len(content) >> 5), 0}) + content
	}
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for what, row := range map[string]struct {
		frame  string
		status int
		body   string
	}{
		"8 MiB":                {magic + "\x00\x68" + last(track), 200, accepted(1, 1, 0)},
		"128 MiB":              {magic + "\x00\x88" + last(track), 400, saysUndecodable},
		"100 MiB, one segment": {magic + "\xa0\x00\x00\x40\x06" + last(track), 400, saysUndecodable},
	} {
		took := allocated(func() {
			requireAnswer(t, r.post(s.path(), row.frame, "Content-Encoding", "zstd"), row.status, row.body)
		})
		require.Less(t, took, uint64(32<<20), what)
	}
}

func TestDeclaredLength_AllocatesNothing(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	const senders = 16
	admit := r.service.handler.admit
	head := "POST " + s.path() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n" + strings.Repeat(" ", 8<<10)
	requireAnswer(t, r.post(s.path(), track), 200, accepted(1, 1, 0))
	took := allocated(func() {
		for range senders {
			_, err := io.WriteString(r.dial(), head)
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return admit.requests.Load() == senders }, patience, poll)
	})
	require.Less(t, took, uint64(senders<<20))
	require.LessOrEqual(t, admit.bytes.Load(), int64(senders*firstReadBytes))
	// and takes nothing from those who do send
	requireAnswer(t, r.post(s.path(), padded(1<<20)), 200, accepted(1, 1, 0))
}
