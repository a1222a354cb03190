-- 00001_events.sql
CREATE TABLE events ON CLUSTER analytics
(
    `workspace_id` LowCardinality(String),
    `product_id` LowCardinality(String),
    `connection_id` LowCardinality(String),
    `source` LowCardinality(String),
    `insert_id` String CODEC(ZSTD(1)),
    `message_id` Nullable(String) ALIAS if(match(insert_id, '^(segment|api):sha256:[0-9a-f]{64}$'), NULL, substring(insert_id, position(insert_id, ':') + 1)),
    `message_type` Enum8('track' = 1, 'page' = 2, 'screen' = 3, 'event' = 4),
    `event_type` LowCardinality(String),
    `source_event` LowCardinality(Nullable(String)),
    `event_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `event_at_source` Enum8('timestamp' = 1, 'originalTimestamp' = 2, 'sentAt' = 3, 'receivedAt' = 4, 'edge' = 5, 'eventAt' = 6),
    `event_key_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `received_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `external_user_id` Nullable(String) CODEC(ZSTD(1)),
    `user_id` Nullable(UUID) CODEC(ZSTD(1)),
    `user_email` Nullable(String) CODEC(ZSTD(1)),
    `user_name` Nullable(String) CODEC(ZSTD(1)),
    `external_organization_id` Nullable(String) CODEC(ZSTD(1)),
    `organization_id` Nullable(UUID) CODEC(ZSTD(1)),
    `organization_name` Nullable(String) CODEC(ZSTD(1)),
    `external_conversation_id` Nullable(String) CODEC(ZSTD(1)),
    `conversation_id` Nullable(UUID) CODEC(ZSTD(1)),
    `influence` Enum8('negative' = 1, 'neutral' = 2, 'positive' = 3),
    `quality_impact_score` Nullable(Float64) CODEC(ZSTD(1)),
    `value` Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    `value_type` Nullable(Enum8('currency' = 1, 'numeric' = 2, 'text' = 3, 'boolean' = 4)),
    `value_text` Nullable(String) CODEC(ZSTD(1)),
    `currency` LowCardinality(String),
    `properties` String CODEC(ZSTD(1)),
    `kafka_topic` LowCardinality(String),
    `kafka_partition` Int32 CODEC(ZSTD(1)),
    `kafka_offset` Int64 CODEC(Delta(8), ZSTD(1)),
    `version` UInt64 CODEC(Delta(8), ZSTD(1)),
    INDEX event_at_range event_at TYPE minmax GRANULARITY 1,
    INDEX received_at_range received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(event_key_at)
ORDER BY (product_id, event_key_at, insert_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
-- 00002_dead_letters.sql
CREATE TABLE dead_letters ON CLUSTER analytics
(
    `workspace_id` LowCardinality(String),
    `product_id` LowCardinality(String),
    `connection_id` LowCardinality(String),
    `source` LowCardinality(String),
    `received_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `reason` LowCardinality(String),
    `detail` String CODEC(ZSTD(1)),
    `message` String CODEC(ZSTD(3)),
    `context` String CODEC(ZSTD(3)),
    `origin` String CODEC(ZSTD(1)),
    `kafka_topic` LowCardinality(String),
    `kafka_partition` Int32 CODEC(ZSTD(1)),
    `kafka_offset` Int64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (product_id, received_at, kafka_topic, kafka_partition, kafka_offset)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
-- 00003_outcomes.sql
CREATE VIEW outcomes ON CLUSTER analytics
AS SELECT
    workspace_id,
    product_id,
    connection_id,
    insert_id,
    message_id,
    message_type,
    event_type,
    source_event,
    event_at,
    event_at_source,
    received_at,
    external_user_id,
    user_id,
    user_email,
    user_name,
    external_organization_id,
    organization_id,
    organization_name,
    external_conversation_id,
    conversation_id,
    influence,
    quality_impact_score,
    value,
    value_type,
    value_text,
    currency,
    properties,
    source
FROM events
FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
-- 00004_attribution.sql
CREATE TABLE user_claims ON CLUSTER analytics
(
    `workspace_id` LowCardinality(String),
    `external_user_id` String CODEC(ZSTD(1)),
    `email` String CODEC(ZSTD(1)),
    `user_id` UUID,
    `explicit_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `event_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `name_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `name_last` SimpleAggregateFunction(max, Tuple(
        Int64,
        String)),
    `email_last` SimpleAggregateFunction(max, Int64),
    `organization_last` SimpleAggregateFunction(max, Tuple(
        Int64,
        String)),
    `properties_last` SimpleAggregateFunction(max, Tuple(
        Int64,
        String)),
    `writer` UInt64,
    `written_at` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT now64(6),
    INDEX written written_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedAggregatingMergeTree
ORDER BY (workspace_id, external_user_id, email, user_id, writer)
SETTINGS index_granularity = 1024;
CREATE TABLE user_claims_by_email ON CLUSTER analytics
(
    `workspace_id` LowCardinality(String),
    `email` String CODEC(ZSTD(1)),
    `external_user_id` String CODEC(ZSTD(1)),
    `user_id` UUID,
    `explicit_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `event_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `name_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String))
)
ENGINE = ReplicatedAggregatingMergeTree
ORDER BY (workspace_id, email, external_user_id, user_id)
SETTINGS index_granularity = 1024;
CREATE MATERIALIZED VIEW user_claims_to_email ON CLUSTER analytics TO user_claims_by_email
AS SELECT
    workspace_id,
    email,
    external_user_id,
    user_id,
    explicit_first,
    event_first,
    name_first
FROM user_claims
WHERE email != '';
CREATE TABLE organization_claims ON CLUSTER analytics
(
    `workspace_id` LowCardinality(String),
    `external_organization_id` String CODEC(ZSTD(1)),
    `organization_id` UUID,
    `explicit_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `event_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `name_first` SimpleAggregateFunction(min, Tuple(
        Int64,
        String)),
    `name_last` SimpleAggregateFunction(max, Tuple(
        Int64,
        String))
)
ENGINE = ReplicatedAggregatingMergeTree
ORDER BY (workspace_id, external_organization_id, organization_id)
SETTINGS index_granularity = 1024;
CREATE TABLE conversation_activity ON CLUSTER analytics
(
    `workspace_id` LowCardinality(String),
    `product_id` LowCardinality(String),
    `external_conversation_id` String CODEC(ZSTD(1)),
    `conversation_id` UUID CODEC(ZSTD(1)),
    `activity_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `external_user_id` String CODEC(ZSTD(1)),
    `email` String CODEC(ZSTD(1)),
    `user_id` Nullable(UUID) CODEC(ZSTD(1)),
    `properties` String CODEC(ZSTD(1)),
    `received_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `version` UInt64 CODEC(Delta(8), ZSTD(1)),
    `written_at` DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),
    INDEX conversation external_conversation_id TYPE bloom_filter GRANULARITY 1,
    INDEX written written_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(activity_at)
ORDER BY (product_id, activity_at, external_conversation_id, external_user_id, email);
CREATE TABLE products ON CLUSTER analytics
(
    `workspace_id` String,
    `product_id` String
)
ENGINE = ReplicatedReplacingMergeTree
ORDER BY (workspace_id, product_id);
CREATE TABLE attribution_progress ON CLUSTER analytics
(
    `loader_group` String,
    `partition` Int32,
    `pulled_to` DateTime64(6, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree(pulled_to)
ORDER BY (loader_group, partition);
-- 00005_people.sql
CREATE VIEW users ON CLUSTER analytics
AS WITH
    9223372036854775807 AS never,
    claims AS
    (
        SELECT
            workspace_id,
            external_user_id,
            email,
            any(user_id) AS user,
            min(explicit_first) AS explicit,
            min(event_first) AS event,
            min(name_first) AS first_name,
            max(name_last) AS last_name,
            max(email_last) AS email_said,
            max(organization_last) AS organization,
            max(properties_last) AS said
        FROM user_claims
        GROUP BY
            workspace_id,
            external_user_id,
            email
    ),
    owned AS
    (
        SELECT
            *,
            (email != '') AND (user = argMin(user, (multiIf(external_user_id = '', 2, (explicit.1) = never, 1, 0), multiIf(external_user_id = '', 0, (explicit.1) = never, event.1, explicit.1), toString(user))) OVER (PARTITION BY workspace_id, email)) AS owns
        FROM claims
    ),
    people AS
    (
        SELECT
            workspace_id,
            external_user_id,
            any(user) AS id,
            argMaxIf(email, (email_said, owns, -least(explicit.1, event.1), email), email != '') AS address,
            if(((max(last_name)).2) != '', (max(last_name)).2, (min(first_name)).2) AS called,
            (max(organization)).2 AS member_of,
            (external_user_id != '') AND (count() >= 64) AS crowded,
            min(explicit) AS identified,
            if(max(owns) OR (NOT crowded), min(if(owns, event, (never, ''))), min(event)) AS seen,
            (seen.1) < (identified.1) AS made_here,
            (max(said)).2 AS said
        FROM owned
        GROUP BY
            workspace_id,
            external_user_id,
            if(external_user_id = '', email, '')
        HAVING max(owns) OR crowded OR ((external_user_id != '') AND ((identified.1) != never))
    )
SELECT
    workspace_id,
    id AS user_id,
    nullIf(external_user_id, '') AS external_user_id,
    nullIf(address, '') AS email,
    nullIf(called, '') AS name,
    nullIf(member_of, '') AS external_organization_id,
    if(made_here, 'analytics', identified.2) AS created_from,
    if(made_here, seen.2, 'api') AS source,
    fromUnixTimestamp64Milli(least(identified.1, seen.1), 'UTC') AS created_at,
    multiIf(NOT made_here, if(said = '', '{}', said), match(said, '^(\\s*\\{\\s*\\}\\s*)?$'), concat('{"created_from":"analytics","source":"', source, '"}'), replaceRegexpOne(said, '^\\s*\\{', concat('{"created_from":"analytics","source":"', source, '",'))) AS properties
FROM people;
CREATE VIEW organizations ON CLUSTER analytics
AS WITH
    organizations_said AS
    (
        SELECT
            workspace_id,
            external_organization_id,
            any(organization_id) AS id,
            if(((max(name_last)).2) != '', (max(name_last)).2, (min(name_first)).2) AS called,
            min(explicit_first) AS identified,
            min(event_first) AS seen,
            (seen.1) < (identified.1) AS made_here
        FROM organization_claims
        GROUP BY
            workspace_id,
            external_organization_id
    )
SELECT
    workspace_id,
    id AS organization_id,
    external_organization_id,
    nullIf(called, '') AS name,
    if(made_here, 'analytics', identified.2) AS created_from,
    if(made_here, seen.2, 'api') AS source,
    fromUnixTimestamp64Milli(least(identified.1, seen.1), 'UTC') AS created_at,
    if(made_here, concat('{"created_from":"analytics","source":"', source, '"}'), '{}') AS properties
FROM organizations_said;
CREATE VIEW conversations ON CLUSTER analytics
AS SELECT
    workspace_id,
    product_id,
    any(conversation_id) AS conversation_id,
    external_conversation_id,
    argMaxIf(user_id, (activity_at, toString(user_id)), user_id IS NOT NULL) AS user_id,
    min(activity_at) AS started_at,
    max(activity_at) AS last_activity_at,
    count() AS activities,
    argMax(properties, (activity_at, properties)) AS properties
FROM conversation_activity
FINAL
GROUP BY
    workspace_id,
    product_id,
    external_conversation_id
SETTINGS do_not_merge_across_partitions_select_final = 1;
-- 00006_analytics.sql
CREATE VIEW outcomes_daily ON CLUSTER analytics
AS SELECT
    workspace_id,
    product_id,
    toDate32(event_at) AS day,
    influence,
    value_type,
    currency,
    count() AS events,
    uniqExact(user_id) AS users,
    uniqExact(conversation_id) AS conversations,
    sumIf(toDecimal256(value, 18), (value_type IN ('currency', 'numeric'))) AS total_value
FROM outcomes
GROUP BY
    workspace_id,
    product_id,
    day,
    influence,
    value_type,
    currency;
CREATE VIEW conversation_outcomes ON CLUSTER analytics
AS WITH
    reached AS
    (
        SELECT
            workspace_id,
            product_id,
            conversation_id,
            count() AS outcomes,
            countIf(influence = 'positive') AS positive,
            countIf(influence = 'neutral') AS neutral,
            countIf(influence = 'negative') AS negative,
            sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), (value IS NOT NULL) AND (value_type = 'currency')) AS value_by_currency,
            toNullable(min(event_at)) AS first_outcome_at,
            minOrNullIf(event_at, influence = 'positive') AS first_positive_at,
            minOrNullIf(event_at, influence = 'negative') AS first_negative_at,
            toNullable(max(event_at)) AS last_outcome_at
        FROM outcomes
        WHERE conversation_id IS NOT NULL
        GROUP BY
            workspace_id,
            product_id,
            conversation_id
    ),
    activity AS
    (
        SELECT
            workspace_id,
            product_id,
            conversation_id,
            groupArray(activity_at) AS times
        FROM conversation_activity
        FINAL
        GROUP BY
            workspace_id,
            product_id,
            conversation_id
        SETTINGS do_not_merge_across_partitions_select_final = 1
    )
SELECT
    c.workspace_id AS workspace_id,
    c.product_id AS product_id,
    c.conversation_id AS conversation_id,
    c.external_conversation_id AS external_conversation_id,
    c.user_id AS user_id,
    c.started_at AS started_at,
    c.last_activity_at AS last_activity_at,
    c.activities AS activities,
    r.outcomes AS outcomes,
    r.positive AS positive,
    r.neutral AS neutral,
    r.negative AS negative,
    r.value_by_currency AS value_by_currency,
    r.first_outcome_at AS first_outcome_at,
    r.first_outcome_at - c.started_at AS first_outcome_after_start_seconds,
    if(r.first_outcome_at < c.started_at, NULL, r.first_outcome_at - arrayMax(arrayFilter(t -> (t <= r.first_outcome_at), a.times))) AS first_outcome_after_activity_seconds,
    r.first_positive_at AS first_positive_at,
    r.first_negative_at AS first_negative_at,
    r.last_outcome_at AS last_outcome_at
FROM conversations AS c
LEFT JOIN activity AS a ON (a.workspace_id = c.workspace_id) AND (a.product_id = c.product_id) AND (a.conversation_id = c.conversation_id)
LEFT JOIN reached AS r ON (r.workspace_id = c.workspace_id) AND (r.product_id = c.product_id) AND (r.conversation_id = c.conversation_id)
SETTINGS join_use_nulls = 0;
CREATE VIEW user_outcomes ON CLUSTER analytics
AS WITH
    reached AS
    (
        SELECT
            workspace_id,
            product_id,
            assumeNotNull(user_id) AS id,
            count() AS outcomes,
            countIf(influence = 'positive') AS positive,
            countIf(influence = 'neutral') AS neutral,
            countIf(influence = 'negative') AS negative,
            sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), (value IS NOT NULL) AND (value_type = 'currency')) AS value_by_currency,
            uniqExact(conversation_id) AS conversations,
            min(event_at) AS first_outcome_at,
            max(event_at) AS last_outcome_at
        FROM outcomes
        WHERE user_id IS NOT NULL
        GROUP BY
            workspace_id,
            product_id,
            id
    )
SELECT
    r.workspace_id AS workspace_id,
    r.product_id AS product_id,
    r.id AS user_id,
    u.external_user_id AS external_user_id,
    u.email AS email,
    u.name AS name,
    r.outcomes AS outcomes,
    r.positive AS positive,
    r.neutral AS neutral,
    r.negative AS negative,
    r.value_by_currency AS value_by_currency,
    r.conversations AS conversations,
    r.first_outcome_at AS first_outcome_at,
    r.last_outcome_at AS last_outcome_at
FROM reached AS r
LEFT JOIN users AS u ON (u.workspace_id = r.workspace_id) AND (u.user_id = r.id)
SETTINGS join_use_nulls = 0;
CREATE VIEW organization_outcomes ON CLUSTER analytics
AS WITH
    reached AS
    (
        SELECT
            workspace_id,
            product_id,
            assumeNotNull(organization_id) AS id,
            count() AS outcomes,
            countIf(influence = 'positive') AS positive,
            countIf(influence = 'neutral') AS neutral,
            countIf(influence = 'negative') AS negative,
            sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), (value IS NOT NULL) AND (value_type = 'currency')) AS value_by_currency,
            uniqExact(conversation_id) AS conversations,
            uniqExact(user_id) AS users,
            min(event_at) AS first_outcome_at,
            max(event_at) AS last_outcome_at
        FROM outcomes
        WHERE organization_id IS NOT NULL
        GROUP BY
            workspace_id,
            product_id,
            id
    )
SELECT
    r.workspace_id AS workspace_id,
    r.product_id AS product_id,
    r.id AS organization_id,
    nullIf(o.external_organization_id, '') AS external_organization_id,
    o.name AS name,
    r.outcomes AS outcomes,
    r.positive AS positive,
    r.neutral AS neutral,
    r.negative AS negative,
    r.value_by_currency AS value_by_currency,
    r.conversations AS conversations,
    r.users AS users,
    r.first_outcome_at AS first_outcome_at,
    r.last_outcome_at AS last_outcome_at
FROM reached AS r
LEFT JOIN organizations AS o ON (o.workspace_id = r.workspace_id) AND (o.organization_id = r.id)
SETTINGS join_use_nulls = 0;
CREATE VIEW conversation_conversion ON CLUSTER analytics
AS WITH
    conversions AS
    (
        SELECT
            o.workspace_id AS workspace_id,
            o.product_id AS product_id,
            toDate32(c.started_at) AS day,
            (arrayJoin([toString(o.event_type), '']), toString(o.influence)) AS kind,
            uniqExact(o.conversation_id) AS converted
        FROM outcomes AS o
        INNER JOIN conversations AS c ON (c.workspace_id = o.workspace_id) AND (c.product_id = o.product_id) AND (c.conversation_id = o.conversation_id)
        WHERE (o.event_at >= c.started_at) AND (o.event_at <= (c.started_at + toIntervalHour({window_hours:UInt32})))
        GROUP BY
            workspace_id,
            product_id,
            day,
            kind
    ),
    conversions_by_day AS
    (
        SELECT
            workspace_id,
            product_id,
            day,
            groupArray((kind, converted)) AS found
        FROM conversions
        GROUP BY
            workspace_id,
            product_id,
            day
    ),
    starts_by_day AS
    (
        SELECT
            workspace_id,
            product_id,
            toDate32(started_at) AS day,
            count() AS started
        FROM conversations
        GROUP BY
            workspace_id,
            product_id,
            day
    ),
    days AS
    (
        SELECT
            s.workspace_id AS workspace_id,
            s.product_id AS product_id,
            s.day AS day,
            s.started AS started,
            f.found AS found,
            groupUniqArrayArray(found.1) OVER (PARTITION BY workspace_id, product_id) AS kinds
        FROM starts_by_day AS s
        LEFT JOIN conversions_by_day AS f ON (f.workspace_id = s.workspace_id) AND (f.product_id = s.product_id) AND (f.day = s.day)
    )
SELECT
    workspace_id,
    product_id,
    day,
    nullIf(kind.1, '') AS event_type,
    kind.2 AS influence,
    started,
    arraySum(f -> if((f.1) = kind, f.2, 0), found) AS converted,
    converted / started AS rate
FROM days
ARRAY JOIN kinds AS kind
SETTINGS join_use_nulls = 0;
CREATE VIEW unclassified_event_types ON CLUSTER analytics
AS SELECT
    workspace_id,
    event_type,
    count() AS events,
    min(event_at) AS first_seen_at,
    max(event_at) AS last_seen_at,
    arraySort(groupUniqArray(product_id)) AS products,
    argMax(insert_id, (event_at, insert_id)) AS example_insert_id
FROM outcomes
GROUP BY
    workspace_id,
    event_type
HAVING countIf(influence != 'neutral') = 0
ORDER BY
    events DESC,
    workspace_id ASC,
    event_type ASC;
-- 00007_new_parts.sql
ALTER TABLE events ON CLUSTER analytics
    (MODIFY SETTING min_bytes_for_wide_part = 268435456);
-- 00008_spread.sql
ALTER TABLE conversation_activity ON CLUSTER analytics
    (ADD COLUMN `kafka_partition` Int32 DEFAULT -1 CODEC(ZSTD(1)));
ALTER TABLE conversation_activity ON CLUSTER analytics
    (ADD COLUMN `writer` UInt64 CODEC(ZSTD(1)));
ALTER TABLE products ON CLUSTER analytics
    (ADD COLUMN `seen_in` Int32),
    (MODIFY ORDER BY (workspace_id, product_id, seen_in));
-- 00009_fewer_merges.sql
ALTER TABLE events ON CLUSTER analytics
    (MODIFY SETTING merge_selector_base = 20);
