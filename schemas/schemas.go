// Package schemas holds ClickHouse's tables and views as numbered migrations.
package schemas

import "embed"

// Migrations are applied in the order of their numbers; one that has been released is never changed.
//
//go:embed migrations/*.sql
var Migrations embed.FS
