package console

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// assets is the folder with the packages' lock, and with what is kept of them.
var assets = filepath.Join("..", "..", "pkg", "console", "assets")

// npmPackages is a node_modules with what the lock says, outside the tree. npm refuses whatever has another hash.
var npmPackages = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-npm-*")
	if err != nil {
		return "", err
	}
	removePackages = func() { _ = os.RemoveAll(dir) }
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join(assets, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return "", err
		}
	}
	command := exec.Command("npm", "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return filepath.Join(dir, "node_modules"), nil
})

// removePackages removes it, if a test has wanted it.
var removePackages = func() {}
