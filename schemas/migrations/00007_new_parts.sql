-- +goose Up

-- A new part is one file with all columns, until it is merged into one of 256 MiB: writing a file or two for each of 32
-- columns is a quarter of what an insert of 20,000 to 100,000 rows takes of the processor.
ALTER TABLE events{{.OnCluster}} MODIFY SETTING min_bytes_for_wide_part = 268435456;

-- +goose Down
ALTER TABLE events{{.OnCluster}} RESET SETTING min_bytes_for_wide_part;
