-- +goose Up

-- What messages have said of users: a row for each pair of an external id and an address that one message
-- carried ('' where it had none). Every column grows in one direction only (the least or the greatest of what
-- was said), so that the rows mean the same in whatever order, how often and by which loader they were
-- written. Who a user is follows from all of them: see the view users.
--
-- Times are Unix milliseconds; a pair of a time and a text is the text said at the least (…_first) or greatest
-- (…_last) time. explicit is said by an identify or a conversation, the others by events.
CREATE TABLE user_claims{{.OnCluster}}
(
    workspace_id      LowCardinality(String),
    external_user_id  String CODEC(ZSTD(1)),
    email             String CODEC(ZSTD(1)), -- in lower case
    user_id           UUID, -- of the external id, else of the address
    explicit_first    SimpleAggregateFunction(min, Tuple(Int64, String)), -- by what
    event_first       SimpleAggregateFunction(min, Tuple(Int64, String)), -- from which source
    name_first        SimpleAggregateFunction(min, Tuple(Int64, String)),
    name_last         SimpleAggregateFunction(max, Tuple(Int64, String)),
    email_last        SimpleAggregateFunction(max, Int64), -- when an identify last said the address
    organization_last SimpleAggregateFunction(max, Tuple(Int64, String)), -- external id
    properties_last   SimpleAggregateFunction(max, Tuple(Int64, String)),
    writer            UInt64, -- which loader, so that others find what it has learnt and it does not find its own
    written_at        SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT now64(6),

    INDEX written written_at TYPE minmax GRANULARITY 1
)
ENGINE = {{.Replicated}}AggregatingMergeTree
ORDER BY (workspace_id, external_user_id, email, user_id, writer)
SETTINGS index_granularity = 1024;

-- The same by address, to look up whose one is.
CREATE TABLE user_claims_by_email{{.OnCluster}}
(
    workspace_id      LowCardinality(String),
    email             String CODEC(ZSTD(1)),
    external_user_id  String CODEC(ZSTD(1)),
    user_id           UUID,
    explicit_first    SimpleAggregateFunction(min, Tuple(Int64, String)),
    event_first       SimpleAggregateFunction(min, Tuple(Int64, String)),
    name_first        SimpleAggregateFunction(min, Tuple(Int64, String))
)
ENGINE = {{.Replicated}}AggregatingMergeTree
ORDER BY (workspace_id, email, external_user_id, user_id)
SETTINGS index_granularity = 1024;

CREATE MATERIALIZED VIEW user_claims_to_email{{.OnCluster}} TO user_claims_by_email AS
SELECT workspace_id, email, external_user_id, user_id, explicit_first, event_first, name_first
FROM user_claims
WHERE email != '';

-- What messages have said of organizations, in the same way.
CREATE TABLE organization_claims{{.OnCluster}}
(
    workspace_id             LowCardinality(String),
    external_organization_id String CODEC(ZSTD(1)),
    organization_id          UUID,
    explicit_first           SimpleAggregateFunction(min, Tuple(Int64, String)),
    event_first              SimpleAggregateFunction(min, Tuple(Int64, String)),
    name_first               SimpleAggregateFunction(min, Tuple(Int64, String)),
    name_last                SimpleAggregateFunction(max, Tuple(Int64, String))
)
ENGINE = {{.Replicated}}AggregatingMergeTree
ORDER BY (workspace_id, external_organization_id, organization_id)
SETTINGS index_granularity = 1024;

-- One row for each activity of a conversation. A conversation is known from its first on. external_user_id and
-- email are '' where the activity did not say; user_id is who that is, by all that is known.
CREATE TABLE conversation_activity{{.OnCluster}}
(
    workspace_id             LowCardinality(String),
    product_id               LowCardinality(String),
    external_conversation_id String CODEC(ZSTD(1)),
    conversation_id          UUID CODEC(ZSTD(1)),
    activity_at              DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    external_user_id         String CODEC(ZSTD(1)),
    email                    String CODEC(ZSTD(1)), -- in lower case
    user_id                  Nullable(UUID) CODEC(ZSTD(1)),
    properties               String CODEC(ZSTD(1)),
    received_at              DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    version                  UInt64 CODEC(Delta(8), ZSTD(1)),
    written_at               DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),

    INDEX conversation external_conversation_id TYPE bloom_filter GRANULARITY 1,
    INDEX written written_at TYPE minmax GRANULARITY 1
)
ENGINE = {{.Replicated}}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(activity_at)
ORDER BY (product_id, activity_at, external_conversation_id, external_user_id, email);

-- Which product belongs to which workspace, as seen in messages: users are of the workspace, so what is
-- learnt of one in one product tells about events in the others.
CREATE TABLE products{{.OnCluster}}
(
    workspace_id  String,
    product_id    String
)
ENGINE = {{.Replicated}}ReplacingMergeTree
ORDER BY (workspace_id, product_id);

-- How far each partition's loader has worked what other loaders have learnt into its own products' events.
CREATE TABLE attribution_progress{{.OnCluster}}
(
    loader_group  String,
    partition     Int32,
    pulled_to     DateTime64(6, 'UTC')
)
ENGINE = {{.Replicated}}ReplacingMergeTree(pulled_to)
ORDER BY (loader_group, partition);

-- +goose Down
DROP TABLE attribution_progress{{.OnCluster}};
DROP TABLE products{{.OnCluster}};
DROP TABLE conversation_activity{{.OnCluster}};
DROP TABLE organization_claims{{.OnCluster}};
DROP VIEW user_claims_to_email{{.OnCluster}};
DROP TABLE user_claims_by_email{{.OnCluster}};
DROP TABLE user_claims{{.OnCluster}};
