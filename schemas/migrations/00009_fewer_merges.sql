-- +goose Up

-- Blocks are small where outcomes are to be fresh, and then merges are three quarters of what an event costs the processor: each takes
-- five times as many rows together as the one before. With twenty times as many a row is written less often. Of blocks of 7,500 rows that
-- takes a fifth to three tenths off all that an event costs ClickHouse; what a query of all of the table costs with FINAL differs no more
-- than from run to run:
-- go test -run '^$' -bench Merges -benchtime 1x ./pkg/warehouse
ALTER TABLE events{{.OnCluster}} MODIFY SETTING merge_selector_base = 20;

-- +goose Down
ALTER TABLE events{{.OnCluster}} RESET SETTING merge_selector_base;
