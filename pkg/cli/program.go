package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/pkg/credential"
	"github.com/millrace/millrace/pkg/token"
)

// Main parses cli, a struct with kong's tags, and runs it until it is done or told to stop. A second
// signal ends the process at once.
func Main(cli any, name, description string, run func(context.Context, *kong.Context) error) {
	parser := parserOf(cli, name, description)
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from here on a signal has its usual effect
	if err := run(ctx, parsed); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// TokenKey reads the token key, for those that have it among their flags.
func TokenKey(flags *credential.TokenKey) (token.Key, error) {
	text, err := flags.Read()
	if err != nil {
		return token.Key{}, fmt.Errorf("--token-key (MILLRACE_TOKEN_KEY, MILLRACE_TOKEN_KEY_FILE): %w", err)
	}
	key, err := token.ParseKey(text)
	if err != nil {
		return token.Key{}, fmt.Errorf("--token-key (MILLRACE_TOKEN_KEY, MILLRACE_TOKEN_KEY_FILE): %w", err)
	}
	return key, nil
}

func parserOf(cli any, name, description string) *kong.Kong {
	parser, err := kong.New(cli, kong.Name(name), kong.Vars{"version": name + " " + Version()}, kong.Description(description), kong.ShortUsageOnError(),
		kong.DefaultEnvars("MILLRACE"), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		panic(fmt.Sprintf("BUG: flags of %s: %v", name, err))
	}
	return parser
}
