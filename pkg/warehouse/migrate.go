package warehouse

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/millrace/millrace/schemas"
)

// Migrate creates the database if it is missing and brings its tables and views up to date. It returns
// what it applied.
func Migrate(ctx context.Context, config Config) (applied []string, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	server := config.open("default")
	defer server.Close()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `"+config.Database+"`"); err != nil {
		return nil, fmt.Errorf("create database %s in ClickHouse at %s: %w", config.Database, config.ClickHouse, err)
	}
	migrations, err := fs.Sub(schemas.Migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	db := config.open(config.Database)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, migrations)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	if err != nil {
		return applied, fmt.Errorf("migrate database %s: %w", config.Database, err)
	}
	return applied, nil
}
