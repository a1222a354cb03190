package console

import (
	"github.com/millrace/millrace/pkg/console/auth"
)

// Base is the path of the console.
const Base = auth.Path

// Config holds the console's flags.
type Config struct {
	Group string      `name:"console-group" help:"The loaders' consumer group, whose lag the console shows." default:"millrace-loader"`
	Auth  auth.Config `embed:""`
}

// Validate checks the flags. listen is the console's address.
func (c *Config) Validate(listen string) error {
	return c.Auth.Validate(listen)
}
