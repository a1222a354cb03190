package edge

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var (
	errUnknownEncoding = errors.New("unknown content encoding")
	errInvalidEncoding = errors.New("body does not decompress")
)

// decompressor is the common interface of the libraries' readers.
type decompressor interface {
	io.Reader
	Reset(r io.Reader) error
}

// decompressors pools readers by encoding: each has tens of kilobytes of tables.
var decompressors = map[string]*sync.Pool{
	"gzip":    {New: func() any { return new(gzip.Reader) }},
	"deflate": {New: func() any { return new(inflater) }},
	"br":      {New: func() any { return brotli.NewReader(nil) }},
	"zstd":    {New: func() any { return newZstd() }},
}

// zstdWindowBytes is the window that every decoder should support (RFC 8878, section 3.1.1.1.2). It bounds what a
// sender can make the edge allocate.
const zstdWindowBytes = 8 << 20

func newZstd() *zstd.Decoder {
	d, err := zstd.NewReader(
		nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindowBytes),
	)
	if err != nil {
		panic(fmt.Sprintf("BUG: zstd options: %v", err))
	}
	return d
}

// encodingOf returns the encoding that the Content-Encoding headers name, "" for identity. Several encodings are an
// error.
func encodingOf(headers [][]byte) (string, error) {
	if len(headers) > 1 {
		return "", errUnknownEncoding
	}
	name := strings.ToLower(string(bytes.TrimSpace(bytes.Join(headers, nil))))
	switch name {
	case "", "identity":
		return "", nil
	case "x-gzip": // RFC 9110, section 8.4.1.3
		return "gzip", nil
	}
	if _, known := decompressors[name]; !known {
		return "", errUnknownEncoding
	}
	return name, nil
}

// decompress decompresses packed into plain, at most limit bytes.
func decompress(encoding string, packed []byte, plain *body, limit int) error {
	pool := decompressors[encoding]
	d := pool.Get().(decompressor)
	err := d.Reset(bytes.NewReader(packed))
	if err == nil {
		err = plain.read(d, -1, limit)
	}
	if f, ok := d.(*inflater); ok && err == nil && f.trailing() {
		err = errInvalidEncoding
	}
	pool.Put(d) // not deferred: a reader that panicked is not reused
	if err == nil || errors.Is(err, errBodyTooLarge) || errors.Is(err, errOverloaded) {
		return err
	}
	return errInvalidEncoding
}

// inflater reads "deflate" in zlib's framing, as the standard requires, and without framing, as some senders do.
type inflater struct {
	zlib io.ReadCloser
	raw  io.ReadCloser
	io.Reader
	source *bufio.Reader
}

// trailing reports whether there are bytes after the end of the compressed data. The decompressors of the other
// encodings report them as errors.
func (f *inflater) trailing() bool {
	_, err := f.source.Peek(1)
	return err == nil
}

func (f *inflater) Reset(r io.Reader) error {
	buffered := bufio.NewReader(r)
	f.source = buffered
	head, err := buffered.Peek(2)
	if err != nil {
		return err
	}
	if isZlib := head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0; !isZlib {
		return f.resetRaw(buffered)
	}
	if f.zlib == nil {
		f.zlib, err = zlib.NewReader(buffered)
	} else {
		err = f.zlib.(zlib.Resetter).Reset(buffered, nil)
	}
	f.Reader = f.zlib
	return err
}

func (f *inflater) resetRaw(r io.Reader) error {
	if f.raw == nil {
		f.raw = flate.NewReader(r)
	}
	f.Reader = f.raw
	return f.raw.(flate.Resetter).Reset(r, nil)
}
