package warehouse

import (
	"context"
	"database/sql"
	"errors"
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
	server, err := config.open("default")
	if err != nil {
		return nil, err
	}
	defer server.Close()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `"+config.Database+"`"); err != nil {
		return nil, fmt.Errorf("create database %s in ClickHouse at %s: %w", config.Database, config.ClickHouse, explain(err))
	}
	db, provider, err := config.migrations()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	results, err := provider.Up(ctx)
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	if err != nil {
		return applied, fmt.Errorf("migrate database %s: %w", config.Database, err)
	}
	return applied, nil
}

// migrations are ours, and what knows which of them the database has had.
func (c *Config) migrations() (*sql.DB, *goose.Provider, error) {
	files, err := fs.Sub(schemas.Migrations, "migrations")
	if err != nil {
		return nil, nil, fmt.Errorf("read the migrations: %w", err)
	}
	db, err := c.open(c.Database)
	if err != nil {
		return nil, nil, err
	}
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read the migrations: %w", err), db.Close())
	}
	return db, provider, nil
}
