package cli

import (
	"runtime"

	"github.com/millrace/millrace/schemas"
)

// Set by the build: -ldflags "-X github.com/millrace/millrace/pkg/cli.release=0.1.0 -X …/pkg/cli.commit=0123456789ab".
var (
	release = "dev"
	commit  = "unknown"
)

// Version describes the build: release, commit, Go version, and the newest migration that it knows.
func Version() string {
	return release + " (commit " + commit + ", " + runtime.Version() + ", schema " + schemas.Newest() + ")"
}
