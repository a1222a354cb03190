package console

import (
	"github.com/millrace/millrace/pkg/console/auth"
)

// Base is the path under which the console is.
const Base = auth.Path

// Config is the console's flags.
type Config struct {
	Group string      `name:"console-group" help:"The loaders' consumer group, whose lag the console shows." default:"millrace-loader"`
	Auth  auth.Config `embed:""`
}

// Validate checks everything that can be checked before anybody comes. listen is the address at which the console is.
func (c *Config) Validate(listen string) error {
	return c.Auth.Validate(listen)
}
