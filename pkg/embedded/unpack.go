package embedded

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// maxLibraryBytes bounds what an unpacked library may take on disk; the real one has 566 MB.
const maxLibraryBytes = 2 << 30

// unpackLibrary writes the engine library of an npm tarball to a new file. It reads the tarball once: the
// file is complete before the hash is known, so on an error the caller throws it away.
func unpackLibrary(tarball, integrity, to string) error {
	packed, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer packed.Close()
	hash := sha512.New()
	hashed := io.TeeReader(packed, hash)

	unpackErr := extractLibrary(hashed, to)
	if _, err := io.Copy(io.Discard, hashed); err != nil {
		return fmt.Errorf("read the package: %w", err)
	}
	sum := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil))
	if integrity != "" && sum != integrity {
		return fmt.Errorf("the package is not the one this version was made for, refusing to run it: its integrity is %s, expected %s",
			sum, integrity)
	}
	return unpackErr
}

func extractLibrary(packed io.Reader, to string) error {
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	archive := tar.NewReader(unzipped)
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("unpack: the package holds no libchdb")
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if name := path.Base(entry.Name); name == "libchdb.so" || name == "libchdb.dylib" {
			if entry.Size > maxLibraryBytes {
				return fmt.Errorf("unpack: a library of %d bytes is over the limit of %d", entry.Size, int64(maxLibraryBytes))
			}
			return writeFile(to, archive)
		}
	}
}

// writeFile makes sure that the bytes are on disk: a rename may survive a crash that they do not.
func writeFile(to string, from io.Reader) error {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return nil
}
