package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/pkg/token"
)

// state is what a running "up" leaves in its data folder for the other commands. It holds no secret.
type state struct {
	URL           string `json:"url"` // of the edge
	Admin         string `json:"admin_url"`
	Kafka         string `json:"kafka"`
	ClickHouse    string `json:"clickhouse"`
	ClickHouseURL string `json:"clickhouse_url"`
	Database      string `json:"database"`
	Console       string `json:"console_url,omitempty"`
	Redis         string `json:"redis,omitempty"` // only the one that "up" started itself
}

const (
	stateFile = "up.json"
	keyFile   = "token.key"
)

func readState(dir string) (*state, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(
			"nothing runs on %s: start it with \"millrace up --data %s\", or name another folder with --data",
			dir,
			dir,
		)
	}
	if err != nil {
		return nil, fmt.Errorf("read what runs on %s: %w", dir, err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read what runs on %s: %w", dir, err)
	}
	return &s, nil
}

// writeWhole writes JSON that is there completely or not at all, for nobody else's eyes.
func writeWhole(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("BUG: %T is not JSON: %v", v, err))
	}
	return writeRenamed(path, append(b, '\n'))
}

func writeRenamed(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func readKey(dir string) (token.Key, error) {
	b, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return token.Key{}, fmt.Errorf("read the token key: %w", err)
	}
	return token.ParseKey(string(b))
}

// ensureKey makes the folder's key at its first start.
func ensureKey(dir string) (token.Key, error) {
	key, err := readKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = token.NewKey()
	return key, writeRenamed(filepath.Join(dir, keyFile), []byte(key.Text()+"\n"))
}
