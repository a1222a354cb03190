-- What the loader makes of a message, as far as SQL can. What the message itself does not say is put in for {…}.
--
-- Each part of a message is read once: JSONExtract into one tuple, and another for the properties, which are stored
-- as text as well. What depends on the event's name alone is worked out once for each name of a block, as a LowCardinality; what is
-- seldom needed is in branches that are not taken.
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
    {received_us} AS received_us,
    toLowCardinality(if(m.type = 'track', m.event, m.name)) AS source_name,
    toLowCardinality(trimBoth(if(p.gf_event_type != '', p.gf_event_type, if(source_name = '', m.type, source_name)))) AS final_name,
    concat(' ', lower(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(final_name, '([a-z0-9])([A-Z])', '\\1 \\2'), '([A-Z])([A-Z][a-z])', '\\1 \\2'), '[\\s_\\-./:]+', ' ')), ' ') AS words,
    multiIf(
        match(words, ' (churn(s|ed|ing)?|cancel(s|l?ed|l?ing|l?ations?)?|unsubscrib(es?|ed|ing)|refund(s|ed|ing)?|downgrad(es?|ed|ing)|delet(es?|ed|ing|ions?)|fail(s|ed|ing|ures?)?|error(s|ed|ing)?) '), 'negative',
        match(words, ' (sign ?ups?|signed ?up|signs ?up|signing ?up|upgrad(es?|ed|ing)|purchas(es?|ed|ing)|subscrib(es?|ed|ing)|convert(s|ed|ing)?|conversions?|activat(es?|ed|ing|ions?)|complet(es?|ed|ing|ions?)|orders? ?complet(es?|ed|ing|ions?)) '), 'positive',
        'neutral') AS named,
    toDecimal128OrNull(p.revenue, 18) AS plain_revenue,
    if(plain_revenue IS NOT NULL OR p.revenue = '', plain_revenue, toDecimal128OrNull(replaceRegexpAll(p.revenue, '^[$€£¥]|,', ''), 18)) AS revenue,
    if(p.price = '' OR p.quantity = '', NULL, CAST(toDecimal128OrNull(p.price, 9) * toDecimal128OrNull(p.quantity, 9) AS Nullable(Decimal(38, 18)))) AS product,
    if(p.gf_value = '', NULL, toDecimal128OrNull(p.gf_value, 18)) AS given_value,
    toLowCardinality(p.currency) AS currency_code,
    parseDateTime64BestEffortOrNull(m.timestamp, 3, 'UTC') AS at_timestamp,
    if(at_timestamp IS NULL, parseDateTime64BestEffortOrNull(m.originalTimestamp, 3, 'UTC'), NULL) AS at_original,
    if(at_timestamp IS NULL AND at_original IS NULL, parseDateTime64BestEffortOrNull(m.sentAt, 3, 'UTC'), NULL) AS at_sent,
    if(at_timestamp IS NULL AND at_original IS NULL AND at_sent IS NULL, parseDateTime64BestEffortOrNull(m.receivedAt, 3, 'UTC'), NULL) AS at_received
SELECT
    {workspace} AS workspace_id,
    {product} AS product_id,
    {connection} AS connection_id,
    {source} AS source,
    concat('segment:', if(m.messageId != '', m.messageId, concat('sha256:', lower(hex(SHA256(raw)))))) AS insert_id,
    toLowCardinality(m.type) AS message_type,
    final_name AS event_type,
    nullIf(source_name, '') AS source_event,
    coalesce(at_timestamp, at_original, at_sent, at_received, received_at) AS event_at,
    multiIf(at_timestamp IS NOT NULL, 'timestamp', at_original IS NOT NULL, 'originalTimestamp', at_sent IS NOT NULL, 'sentAt', at_received IS NOT NULL, 'receivedAt', 'edge') AS event_at_source,
    coalesce(at_timestamp, at_original, toDateTime64(0, 3, 'UTC')) AS event_key_at,
    fromUnixTimestamp64Milli(intDiv(received_us, 1000), 'UTC') AS received_at,
    nullIf(if(m.userId != '', m.userId, m.anonymousId), '') AS external_user_id,
    nullIf(multiIf(position(m.context.traits.email, '@') > 1, m.context.traits.email, position(m.traits.email, '@') > 1, m.traits.email, position(p.email, '@') > 1, p.email, ''), '') AS user_email,
    nullIf(multiIf(m.context.traits.name != '', m.context.traits.name, m.traits.name != '', m.traits.name, p.name), '') AS user_name,
    nullIf(multiIf(m.context.groupId != '', m.context.groupId, m.traits.organization_id != '', m.traits.organization_id, p.organization_id), '') AS external_organization_id,
    nullIf(multiIf(m.traits.organization_name != '', m.traits.organization_name, m.traits.company != '', m.traits.company, p.organization_name != '', p.organization_name, p.company), '') AS organization_name,
    nullIf(p.gf_conversation_id, '') AS external_conversation_id,
    multiIf(lower(p.gf_influence) IN ('negative', 'neutral', 'positive'), lower(p.gf_influence), revenue > 0, 'positive', revenue < 0, 'negative', named) AS influence,
    if(p.gf_quality_impact_score != '' AND toFloat64OrNull(p.gf_quality_impact_score) BETWEEN -1 AND 1, toFloat64OrNull(p.gf_quality_impact_score), NULL) AS quality_impact_score,
    coalesce(given_value, revenue, product) AS value,
    multiIf(p.gf_value_type IN ('currency', 'numeric', 'text', 'boolean'), p.gf_value_type, value IS NOT NULL, 'currency', p.gf_value != '', 'text', NULL) AS value_type,
    multiIf(p.gf_value != '', p.gf_value, revenue IS NOT NULL, p.revenue, value IS NOT NULL, toString(value), NULL) AS value_text,
    if(match(currency_code, '^[A-Za-z]{3}$'), upper(currency_code), '') AS currency,
    if(m.properties = '', '{}', m.properties) AS properties,
    {topic} AS kafka_topic,
    {partition} AS kafka_partition,
    {offset} AS kafka_offset,
    2251799813685247 - toUInt64(received_us - 1577836800000000) AS version
FROM {from}
