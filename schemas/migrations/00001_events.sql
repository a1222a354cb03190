-- +goose Up

-- One row for each event, however often it was delivered: rows with the same sorting key replace each
-- other, and the highest version stays. The key holds nothing but the message's own fields, so that a
-- resend has the key of what it resends, and the version falls with the time of receipt, so that the
-- first delivery counts.
--
-- event_key_at is when the event happened by the message's own word, or 1970-01-01 where it does not say:
-- event_at is then when it was sent or received, and two deliveries differ in that.
CREATE TABLE events{{.OnCluster}}
(
    workspace_id             LowCardinality(String),
    product_id               LowCardinality(String),
    connection_id            LowCardinality(String),
    source                   LowCardinality(String),

    insert_id                String CODEC(ZSTD(1)),
    message_id               Nullable(String) ALIAS if(match(insert_id, '^(segment|api):sha256:[0-9a-f]{64}$'), NULL, substring(insert_id, position(insert_id, ':') + 1)),
    message_type             Enum8('track' = 1, 'page' = 2, 'screen' = 3, 'event' = 4),
    event_type               LowCardinality(String),
    source_event             LowCardinality(Nullable(String)),

    event_at                 DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    event_at_source          Enum8('timestamp' = 1, 'originalTimestamp' = 2, 'sentAt' = 3, 'receivedAt' = 4, 'edge' = 5, 'eventAt' = 6),
    event_key_at             DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received_at              DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),

    external_user_id         Nullable(String) CODEC(ZSTD(1)),
    user_id                  Nullable(UUID) CODEC(ZSTD(1)),
    user_email               Nullable(String) CODEC(ZSTD(1)),
    user_name                Nullable(String) CODEC(ZSTD(1)),
    external_organization_id Nullable(String) CODEC(ZSTD(1)),
    organization_id          Nullable(UUID) CODEC(ZSTD(1)),
    organization_name        Nullable(String) CODEC(ZSTD(1)),
    external_conversation_id Nullable(String) CODEC(ZSTD(1)),
    conversation_id          Nullable(UUID) CODEC(ZSTD(1)),

    influence                Enum8('negative' = 1, 'neutral' = 2, 'positive' = 3),
    quality_impact_score     Nullable(Float64) CODEC(ZSTD(1)),
    value                    Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    value_type               Nullable(Enum8('currency' = 1, 'numeric' = 2, 'text' = 3, 'boolean' = 4)),
    value_text               Nullable(String) CODEC(ZSTD(1)),
    currency                 LowCardinality(String),

    properties               String CODEC(ZSTD(1)),

    kafka_topic              LowCardinality(String),
    kafka_partition          Int32 CODEC(ZSTD(1)),
    kafka_offset             Int64 CODEC(Delta(8), ZSTD(1)),
    version                  UInt64 CODEC(Delta(8), ZSTD(1)),

    INDEX event_at_range event_at TYPE minmax GRANULARITY 1,
    INDEX received_at_range received_at TYPE minmax GRANULARITY 1
)
ENGINE = {{.Replicated}}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(event_key_at)
ORDER BY (product_id, event_key_at, insert_id)
-- The window in which a block that is sent again is recognised by its token.
SETTINGS {{.Window}};

-- +goose Down
DROP TABLE events{{.OnCluster}};
