CREATE TABLE queue (raw String) ENGINE = Kafka
SETTINGS kafka_broker_list = '{broker}', kafka_topic_list = '{topic}', kafka_group_name = '{group}', kafka_format = 'RawBLOB',
    kafka_num_consumers = 2, kafka_thread_per_consumer = 1, kafka_max_block_size = 200000, kafka_poll_max_batch_size = 200000,
    kafka_flush_interval_ms = 1000, kafka_poll_timeout_ms = 100;

-- Each part of a message is read once: JSONExtract into one tuple, and another for the properties, which are stored
-- as text as well. What depends on the event's name alone is worked out once for each name of a block, as a LowCardinality.
CREATE MATERIALIZED VIEW queue_to_events TO events AS
WITH
    JSONExtract(raw, 'Tuple(
        type String, event String, name String, messageId String, userId String, anonymousId String,
        timestamp String, originalTimestamp String, sentAt String, receivedAt String,
        context Tuple(groupId String, traits Tuple(email String, name String)),
        traits Tuple(email String, name String, organization_id String, organization_name String, company String),
        properties String)') AS m,
    JSONExtract(m.properties, 'Tuple(
        revenue String, price String, quantity String, currency String,
        email String, name String, organization_id String, organization_name String, company String,
        gf_event_type String, gf_influence String, gf_quality_impact_score String, gf_value String, gf_value_type String, gf_conversation_id String)') AS p,
    reinterpretAsInt64(reverse(_headers.value[5])) AS received_us,
    toLowCardinality(if(m.type = 'track', m.event, m.name)) AS source_name,
    toLowCardinality(trimBoth(if(p.gf_event_type != '', p.gf_event_type, if(source_name = '', m.type, source_name)))) AS final_name,
    concat(' ', lower(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(final_name, '([a-z0-9])([A-Z])', '\\1 \\2'), '([A-Z])([A-Z][a-z])', '\\1 \\2'), '[\\s_\\-./:]+', ' ')), ' ') AS words,
    match(words, ' (churn(s|ed|ing)?|cancel(s|l?ed|l?ing|l?ations?)?|unsubscrib(es?|ed|ing)|refund(s|ed|ing)?|downgrad(es?|ed|ing)|delet(es?|ed|ing|ions?)|fail(s|ed|ing|ures?)?|error(s|ed|ing)?) ') AS bad,
    match(words, ' (sign ?ups?|signed ?up|signs ?up|signing ?up|upgrad(es?|ed|ing)|purchas(es?|ed|ing)|subscrib(es?|ed|ing)|convert(s|ed|ing)?|conversions?|activat(es?|ed|ing|ions?)|complet(es?|ed|ing|ions?)|orders? ?complet(es?|ed|ing|ions?)) ') AS good,
    toDecimal128OrNull(replaceRegexpAll(p.revenue, '^[$€£¥]|,', ''), 18) AS revenue,
    CAST(toDecimal128OrNull(p.price, 9) * toDecimal128OrNull(p.quantity, 9) AS Nullable(Decimal(38, 18))) AS product,
    toDecimal128OrNull(p.gf_value, 18) AS given_value,
    parseDateTime64BestEffortOrNull(m.timestamp, 3, 'UTC') AS at_timestamp,
    if(at_timestamp IS NULL, parseDateTime64BestEffortOrNull(m.originalTimestamp, 3, 'UTC'), NULL) AS at_original,
    if(at_timestamp IS NULL AND at_original IS NULL, parseDateTime64BestEffortOrNull(m.sentAt, 3, 'UTC'), NULL) AS at_sent,
    if(at_timestamp IS NULL AND at_original IS NULL AND at_sent IS NULL, parseDateTime64BestEffortOrNull(m.receivedAt, 3, 'UTC'), NULL) AS at_received
SELECT
    _headers.value[2] AS workspace_id,
    _key AS product_id,
    _headers.value[3] AS connection_id,
    _headers.value[4] AS source,
    concat('segment:', if(m.messageId != '', m.messageId, concat('sha256:', lower(hex(SHA256(raw)))))) AS insert_id,
    m.type AS message_type,
    final_name AS event_type,
    nullIf(source_name, '') AS source_event,
    coalesce(at_timestamp, at_original, at_sent, at_received, received_at) AS event_at,
    multiIf(at_timestamp IS NOT NULL, 'timestamp', at_original IS NOT NULL, 'originalTimestamp', at_sent IS NOT NULL, 'sentAt', at_received IS NOT NULL, 'receivedAt', 'edge') AS event_at_source,
    coalesce(at_timestamp, at_original, toDateTime64(0, 3, 'UTC')) AS event_key_at,
    fromUnixTimestamp64Milli(intDiv(received_us, 1000), 'UTC') AS received_at,
    nullIf(if(m.userId != '', m.userId, m.anonymousId), '') AS external_user_id,
    nullIf(multiIf(m.context.traits.email LIKE '%_@_%', m.context.traits.email, m.traits.email LIKE '%_@_%', m.traits.email, p.email LIKE '%_@_%', p.email, ''), '') AS user_email,
    nullIf(multiIf(m.context.traits.name != '', m.context.traits.name, m.traits.name != '', m.traits.name, p.name), '') AS user_name,
    nullIf(multiIf(m.context.groupId != '', m.context.groupId, m.traits.organization_id != '', m.traits.organization_id, p.organization_id), '') AS external_organization_id,
    nullIf(multiIf(m.traits.organization_name != '', m.traits.organization_name, m.traits.company != '', m.traits.company, p.organization_name != '', p.organization_name, p.company), '') AS organization_name,
    nullIf(p.gf_conversation_id, '') AS external_conversation_id,
    multiIf(lower(p.gf_influence) IN ('negative', 'neutral', 'positive'), lower(p.gf_influence), revenue > 0, 'positive', revenue < 0, 'negative', bad, 'negative', good, 'positive', 'neutral') AS influence,
    if(toFloat64OrNull(p.gf_quality_impact_score) BETWEEN -1 AND 1, toFloat64OrNull(p.gf_quality_impact_score), NULL) AS quality_impact_score,
    coalesce(given_value, revenue, product) AS value,
    multiIf(p.gf_value_type IN ('currency', 'numeric', 'text', 'boolean'), p.gf_value_type, value IS NOT NULL, 'currency', p.gf_value != '', 'text', NULL) AS value_type,
    multiIf(p.gf_value != '', p.gf_value, revenue IS NOT NULL, p.revenue, value IS NOT NULL, toString(value), NULL) AS value_text,
    if(match(p.currency, '^[A-Za-z]{3}$'), upper(p.currency), '') AS currency,
    if(m.properties = '', '{}', m.properties) AS properties,
    _topic AS kafka_topic,
    _partition AS kafka_partition,
    _offset AS kafka_offset,
    2251799813685247 - toUInt64(received_us - 1577836800000000) AS version
FROM queue
