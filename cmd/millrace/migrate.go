package main

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/pkg/warehouse"
)

type migrateCommand struct {
	Warehouse warehouse.Config `embed:""`
}

// Run brings the database up to date.
func (c *migrateCommand) Run(ctx context.Context) error {
	applied, err := warehouse.Migrate(ctx, c.Warehouse)
	for _, name := range applied {
		fmt.Println("applied", name)
	}
	if err == nil {
		fmt.Printf("database %s is up to date\n", c.Warehouse.Database)
	}
	return err
}
