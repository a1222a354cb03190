// Package schemas holds ClickHouse's tables and views as numbered migrations.
package schemas

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
	"text/template"
)

// migrations are applied in the order of their numbers; what comes of one that has been released is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// For says what the migrations are for. The zero value is one server, or each shard's only one by itself.
type For struct {
	Cluster string // whose shards have replicas: all of them are migrated by whichever server is asked
}

// OnCluster comes behind the name of what is made.
func (f For) OnCluster() string {
	if f.Cluster == "" {
		return ""
	}
	return " ON CLUSTER '" + f.Cluster + "'"
}

// Replicated comes before an engine's name.
func (f For) Replicated() string {
	if f.Cluster == "" {
		return ""
	}
	return "Replicated"
}

// Window is in how many blocks one that is sent again is recognised. Replicas forget them with time too: after as long
// as a message stays in the log.
func (f For) Window() string {
	if f.Cluster == "" {
		return "non_replicated_deduplication_window = 10000"
	}
	return "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800"
}

// Migrations are the files for one or the other, as a folder.
func Migrations(f For) (fs.FS, error) {
	files := fstest.MapFS{} // there is no other folder in memory in the standard library
	templates, err := template.ParseFS(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	for _, t := range templates.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, f); err != nil {
			return nil, fmt.Errorf("read migration %s: %w", t.Name(), err)
		}
		files[t.Name()] = &fstest.MapFile{Data: text.Bytes()}
	}
	return files, nil
}

// Newest returns the number of the newest migration, such as 00009.
func Newest() string {
	entries, err := migrations.ReadDir("migrations") // sorted by name
	if err != nil {
		panic("BUG: the migrations are not embedded: " + err.Error())
	}
	number, _, _ := strings.Cut(entries[len(entries)-1].Name(), "_")
	return number
}
