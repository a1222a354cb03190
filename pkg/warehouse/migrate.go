package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/millrace/millrace/schemas"
)

// Migrate creates the database if it is missing and brings its tables and views up to date. It returns
// what it applied.
func Migrate(ctx context.Context, config Config) (applied []string, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Cluster != "" {
		return config.migrateCluster(ctx)
	}
	if err := config.create(ctx, config.Database); err != nil {
		return nil, err
	}
	return config.migrate(ctx)
}

// create makes a database.
func (c *Config) create(ctx context.Context, database string) error {
	server, err := c.open("default")
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `"+database+"`"); err != nil {
		return fmt.Errorf("create database %s in ClickHouse at %s: %w", database, c.ClickHouse, explain(err))
	}
	return nil
}

// migrate brings the tables that hold rows up to date.
func (c *Config) migrate(ctx context.Context) (applied []string, err error) {
	db, provider, err := c.migrations()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	results, err := provider.Up(ctx)
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	if err != nil {
		return applied, fmt.Errorf("migrate database %s in ClickHouse at %s: %w", c.local(), c.ClickHouse, err)
	}
	return applied, nil
}

// migrations are ours, and what knows which of them the database has had.
func (c *Config) migrations() (*sql.DB, *goose.Provider, error) {
	var of schemas.For
	if c.Replicated {
		of.Cluster = c.Cluster
	}
	files, err := schemas.Migrations(of)
	if err != nil {
		return nil, nil, err
	}
	db, err := c.open(c.local())
	if err != nil {
		return nil, nil, err
	}
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read the migrations: %w", err), db.Close())
	}
	return db, provider, nil
}
