package warehouse

import (
	"context"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// ProductPartition is a product and a partition that has records of it, or -1 if the partition is not known.
type ProductPartition struct {
	Workspace string
	Product   string
	Partition int32
}

// Products returns the products of workspaces with their partitions. No workspace stands for all.
func (l *Lookup) Products(ctx context.Context, workspaces []string) ([]ProductPartition, error) {
	return l.products(
		ctx,
		`workspace_id IN (SELECT workspace FROM wanted) OR (SELECT count() FROM wanted) = 0`,
		workspaces,
	)
}

// SaltedProducts returns the products that have been in several partitions.
func (l *Lookup) SaltedProducts(ctx context.Context) ([]ProductPartition, error) {
	return l.products(ctx, `(workspace_id, product_id) IN (SELECT workspace_id, product_id FROM products
		WHERE seen_in > 0 GROUP BY workspace_id, product_id HAVING uniqExact(seen_in) > 1)`, nil)
}

func (l *Lookup) products(ctx context.Context, where string, workspaces []string) ([]ProductPartition, error) {
	q := &query{what: "products", sql: "SELECT DISTINCT workspace_id, product_id, seen_in FROM products WHERE " + where}
	q.tables = []ch.ExternalTable{externalTable("wanted", input("workspace", stringsOf(workspaces)))}
	workspace, product := result[proto.ColStr](q, "workspace_id"), result[proto.ColStr](q, "product_id")
	seenIn := result[proto.ColInt32](q, "seen_in")
	return collect(ctx, l, q, func(row int) ProductPartition {
		return ProductPartition{workspace.Row(row), product.Row(row), seenIn.Row(row) - 1}
	})
}

// Progress returns up to when changes have been pulled into the rows of each partition of a loader group.
func (l *Lookup) Progress(ctx context.Context, group string) (progress map[int32]time.Time, err error) {
	q := &query{what: "attribution progress", sql: `SELECT partition, toUnixTimestamp64Micro(max(pulled_to)) AS pulled
		FROM attribution_progress WHERE loader_group IN (SELECT name FROM wanted) GROUP BY partition`}
	q.tables = []ch.ExternalTable{externalTable("wanted", input("name", stringsOf([]string{group})))}
	partition, pulledTo := result[proto.ColInt32](q, "partition"), result[proto.ColInt64](q, "pulled")
	progress = map[int32]time.Time{}
	err = l.read(ctx, q, func(rows int) error {
		for row := range rows {
			progress[partition.Row(row)] = time.UnixMicro(pulledTo.Row(row)).UTC()
		}
		return nil
	})
	return progress, err
}

// SaveProgress stores up to when changes have been pulled into the rows of partitions.
func (l *Lookup) SaveProgress(ctx context.Context, group string, partitions []int32, to time.Time) error {
	b := newProgress()
	for _, p := range partitions {
		b.Append(&pulledPartition{group, p, to})
	}
	_, err := l.insert(ctx, &b.block, "")
	return err
}
