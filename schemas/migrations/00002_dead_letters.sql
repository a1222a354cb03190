-- +goose Up

-- Messages that could not become events, whole, with the reason. kafka_… are the coordinates of the dead
-- letter itself, and its key; origin says where the message lay before (topic/partition/offset), if it had been
-- accepted.
CREATE TABLE dead_letters{{.OnCluster}}
(
    workspace_id     LowCardinality(String),
    product_id       LowCardinality(String),
    connection_id    LowCardinality(String),
    source           LowCardinality(String),
    received_at      DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    reason           LowCardinality(String),
    detail           String CODEC(ZSTD(1)),
    message          String CODEC(ZSTD(3)),
    context          String CODEC(ZSTD(3)),
    origin           String CODEC(ZSTD(1)),
    kafka_topic      LowCardinality(String),
    kafka_partition  Int32 CODEC(ZSTD(1)),
    kafka_offset     Int64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{.Replicated}}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (product_id, received_at, kafka_topic, kafka_partition, kafka_offset)
SETTINGS {{.Window}};

-- +goose Down
DROP TABLE dead_letters{{.OnCluster}};
