-- +goose Up

-- A product may be spread over partitions. Rows are revised by whoever has the partition that they came from: a row of
-- conversation_activity says which that is, and products say where each has been seen. Rows from before do not say: they
-- are in the partition of the product's key.
ALTER TABLE conversation_activity{{.OnCluster}} ADD COLUMN kafka_partition Int32 DEFAULT -1 CODEC(ZSTD(1));
-- Who wrote it, as in user_claims.
ALTER TABLE conversation_activity{{.OnCluster}} ADD COLUMN writer UInt64 CODEC(ZSTD(1));

-- The partition and one; 0 where it is not known. A key can only be added to by a column that begins as 0.
ALTER TABLE products{{.OnCluster}} ADD COLUMN seen_in Int32, MODIFY ORDER BY (workspace_id, product_id, seen_in);
INSERT INTO products (workspace_id, product_id, seen_in) SELECT DISTINCT workspace_id, product_id, kafka_partition + 1 FROM events;

-- +goose Down
CREATE TABLE products_without{{.OnCluster}} (workspace_id String, product_id String) ENGINE = {{.Replicated}}ReplacingMergeTree ORDER BY (workspace_id, product_id);
INSERT INTO products_without SELECT DISTINCT workspace_id, product_id FROM products;
DROP TABLE products{{.OnCluster}};
RENAME TABLE products_without TO products{{.OnCluster}};
ALTER TABLE conversation_activity{{.OnCluster}} DROP COLUMN writer;
ALTER TABLE conversation_activity{{.OnCluster}} DROP COLUMN kafka_partition;
