package assets

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Licences are embedded because they require it. They are not served.
//
//go:embed console.css console.js npm
var files embed.FS

// contentTypes does not depend on the machine's MIME table.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
}

// hashDigits is the number of hex digits of SHA-256 in a file name: 48 bits.
const hashDigits = 12

type asset struct {
	hashedName  string // "htmx.min.0123456789ab.js"
	contentType string
	content     []byte
}

var byName = load()

// load reads the embedded files. It panics on a duplicate name, which is a bug.
func load() map[string]asset {
	all := make(map[string]asset)
	err := fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
		extension := path.Ext(file)
		contentType, served := contentTypes[extension]
		if err != nil || entry.IsDir() || !served {
			return err
		}
		content, err := files.ReadFile(file)
		if err != nil {
			return err
		}
		name := path.Base(file)
		if _, twice := all[name]; twice {
			return fmt.Errorf("two files are called %s", name)
		}
		sum := sha256.Sum256(content)
		hash := hex.EncodeToString(sum[:])[:hashDigits]
		all[name] = asset{strings.TrimSuffix(name, extension) + "." + hash + extension, contentType, content}
		return nil
	})
	if err != nil {
		panic("BUG: the console's assets: " + err.Error())
	}
	return all
}

// Path returns the path of a file under base: "htmx.min.js" under "/console/assets" is
// "/console/assets/htmx.min.0123456789ab.js". It panics if the file does not exist.
func Path(base, name string) string {
	a, known := byName[name]
	if !known {
		panic("BUG: the console has no asset " + name)
	}
	return path.Join(base, a.hashedName)
}

// Handler serves the files under base by their hashed names only, so an old page never loads a new script.
func Handler(base string) http.Handler {
	byPath := make(map[string]asset, len(byName))
	for name, a := range byName {
		byPath[Path(base, name)] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, known := byPath[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", a.contentType)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, a.hashedName, time.Time{}, bytes.NewReader(a.content))
	})
}
