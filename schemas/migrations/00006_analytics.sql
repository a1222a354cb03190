-- +goose Up

-- The questions people ask of outcomes. Each view reads every event once, whatever has been merged, and has
-- these rules in common:
--
--   - A day is a day in UTC, and a Date32, because an event may be older than 1970.
--   - Amounts of unlike currencies are never added: they stand in rows of their own, or under their own key of
--     value_by_currency. The currency '' is that of amounts whose message named none.
--   - Sums are Decimal(76, 18): one of the stored type wraps around silently above 1.7e20.
--   - Neutral events are counted apart, so that the reader decides whether they are outcomes.
--   - Joins say join_use_nulls, for the reader's own setting would change what a view without a match returns.

-- What happened on each day. A user or a conversation is in as many rows as it has kinds of outcomes: add up
-- events and total_value, but not users and conversations. total_value is null where there is nothing to add up.
CREATE VIEW outcomes_daily{{.OnCluster}} AS
SELECT
    workspace_id, product_id,
    toDate32(event_at) AS day,
    influence, value_type, currency,
    count() AS events,
    uniqExact(user_id) AS users,
    uniqExact(conversation_id) AS conversations,
    sumIf(toDecimal256(value, 18), value_type IN ('currency', 'numeric')) AS total_value
FROM outcomes
GROUP BY workspace_id, product_id, day, influence, value_type, currency;

-- Each conversation and what it led to, also if that is nothing. Delays are in seconds. One from the start is
-- negative, and one from the latest activity null, where an event named a conversation that had yet to start.
CREATE VIEW conversation_outcomes{{.OnCluster}} AS
WITH
    reached AS
    (
        SELECT
            workspace_id, product_id, conversation_id,
            count() AS outcomes,
            countIf(influence = 'positive') AS positive,
            countIf(influence = 'neutral') AS neutral,
            countIf(influence = 'negative') AS negative,
            sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), value IS NOT NULL AND value_type = 'currency') AS value_by_currency,
            toNullable(min(event_at)) AS first_outcome_at,
            minOrNullIf(event_at, influence = 'positive') AS first_positive_at,
            minOrNullIf(event_at, influence = 'negative') AS first_negative_at,
            toNullable(max(event_at)) AS last_outcome_at
        FROM outcomes
        WHERE conversation_id IS NOT NULL
        GROUP BY workspace_id, product_id, conversation_id
    ),
    activity AS
    (
        SELECT workspace_id, product_id, conversation_id, groupArray(activity_at) AS times
        FROM conversation_activity FINAL
        GROUP BY workspace_id, product_id, conversation_id
        SETTINGS do_not_merge_across_partitions_select_final = 1
    )
SELECT
    c.workspace_id AS workspace_id, c.product_id AS product_id, c.conversation_id AS conversation_id,
    c.external_conversation_id AS external_conversation_id, c.user_id AS user_id,
    c.started_at AS started_at, c.last_activity_at AS last_activity_at, c.activities AS activities,
    r.outcomes AS outcomes, r.positive AS positive, r.neutral AS neutral, r.negative AS negative,
    r.value_by_currency AS value_by_currency,
    r.first_outcome_at AS first_outcome_at,
    r.first_outcome_at - c.started_at AS first_outcome_after_start_seconds,
    if(r.first_outcome_at < c.started_at, NULL, r.first_outcome_at - arrayMax(arrayFilter(t -> t <= r.first_outcome_at, a.times)))
        AS first_outcome_after_activity_seconds,
    r.first_positive_at AS first_positive_at, r.first_negative_at AS first_negative_at,
    r.last_outcome_at AS last_outcome_at
FROM conversations AS c
LEFT JOIN activity AS a ON a.workspace_id = c.workspace_id AND a.product_id = c.product_id AND a.conversation_id = c.conversation_id
LEFT JOIN reached AS r ON r.workspace_id = c.workspace_id AND r.product_id = c.product_id AND r.conversation_id = c.conversation_id
SETTINGS join_use_nulls = 0;

-- Each user's outcomes in each product. Users are the workspace's: over several products add up the counts, which
-- works for conversations too, for each is of one product.
CREATE VIEW user_outcomes{{.OnCluster}} AS
WITH
    reached AS
    (
        SELECT
            workspace_id, product_id, assumeNotNull(user_id) AS id,
            count() AS outcomes,
            countIf(influence = 'positive') AS positive,
            countIf(influence = 'neutral') AS neutral,
            countIf(influence = 'negative') AS negative,
            sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), value IS NOT NULL AND value_type = 'currency') AS value_by_currency,
            uniqExact(conversation_id) AS conversations,
            min(event_at) AS first_outcome_at,
            max(event_at) AS last_outcome_at
        FROM outcomes
        WHERE user_id IS NOT NULL
        GROUP BY workspace_id, product_id, id
    )
SELECT
    r.workspace_id AS workspace_id, r.product_id AS product_id, r.id AS user_id,
    u.external_user_id AS external_user_id, u.email AS email, u.name AS name,
    r.outcomes AS outcomes, r.positive AS positive, r.neutral AS neutral, r.negative AS negative,
    r.value_by_currency AS value_by_currency, r.conversations AS conversations,
    r.first_outcome_at AS first_outcome_at, r.last_outcome_at AS last_outcome_at
FROM reached AS r
LEFT JOIN users AS u ON u.workspace_id = r.workspace_id AND u.user_id = r.id
SETTINGS join_use_nulls = 0;

-- The same by organization.
CREATE VIEW organization_outcomes{{.OnCluster}} AS
WITH
    reached AS
    (
        SELECT
            workspace_id, product_id, assumeNotNull(organization_id) AS id,
            count() AS outcomes,
            countIf(influence = 'positive') AS positive,
            countIf(influence = 'neutral') AS neutral,
            countIf(influence = 'negative') AS negative,
            sumMapIf(map(toString(currency), toDecimal256(assumeNotNull(value), 18)), value IS NOT NULL AND value_type = 'currency') AS value_by_currency,
            uniqExact(conversation_id) AS conversations,
            uniqExact(user_id) AS users,
            min(event_at) AS first_outcome_at,
            max(event_at) AS last_outcome_at
        FROM outcomes
        WHERE organization_id IS NOT NULL
        GROUP BY workspace_id, product_id, id
    )
SELECT
    r.workspace_id AS workspace_id, r.product_id AS product_id, r.id AS organization_id,
    nullIf(o.external_organization_id, '') AS external_organization_id, o.name AS name,
    r.outcomes AS outcomes, r.positive AS positive, r.neutral AS neutral, r.negative AS negative,
    r.value_by_currency AS value_by_currency, r.conversations AS conversations, r.users AS users,
    r.first_outcome_at AS first_outcome_at, r.last_outcome_at AS last_outcome_at
FROM reached AS r
LEFT JOIN organizations AS o ON o.workspace_id = r.workspace_id AND o.organization_id = r.id
SETTINGS join_use_nulls = 0;

-- Of the conversations that started on a day, how many had an outcome of a kind from their start to window_hours
-- later, both ends included: FROM conversation_conversion(window_hours = 24). An event_type of null stands for all
-- types of the influence together, where a conversation with two of them counts once. A kind that a product has on
-- one day is there on all of its days, with 0 where it had none, so that rates can be averaged.
CREATE VIEW conversation_conversion{{.OnCluster}} AS
WITH
    conversions AS
    (
        SELECT
            o.workspace_id AS workspace_id, o.product_id AS product_id, toDate32(c.started_at) AS day,
            (arrayJoin([toString(o.event_type), '']), toString(o.influence)) AS kind,
            uniqExact(o.conversation_id) AS converted
        FROM outcomes AS o
        INNER JOIN conversations AS c
            ON c.workspace_id = o.workspace_id AND c.product_id = o.product_id AND c.conversation_id = o.conversation_id
        WHERE o.event_at BETWEEN c.started_at AND c.started_at + toIntervalHour({window_hours:UInt32})
        GROUP BY workspace_id, product_id, day, kind
    ),
    conversions_by_day AS
    (
        SELECT workspace_id, product_id, day, groupArray((kind, converted)) AS found
        FROM conversions
        GROUP BY workspace_id, product_id, day
    ),
    starts_by_day AS
    (
        SELECT workspace_id, product_id, toDate32(started_at) AS day, count() AS started
        FROM conversations
        GROUP BY workspace_id, product_id, day
    ),
    days AS
    (
        SELECT
            s.workspace_id AS workspace_id, s.product_id AS product_id, s.day AS day, s.started AS started, f.found AS found,
            groupUniqArrayArray(found.1) OVER (PARTITION BY workspace_id, product_id) AS kinds
        FROM starts_by_day AS s
        LEFT JOIN conversions_by_day AS f ON f.workspace_id = s.workspace_id AND f.product_id = s.product_id AND f.day = s.day
    )
SELECT
    workspace_id, product_id, day, nullIf(kind.1, '') AS event_type, kind.2 AS influence, started,
    arraySum(f -> if(f.1 = kind, f.2, 0), found) AS converted,
    converted / started AS rate
FROM days
ARRAY JOIN kinds AS kind
SETTINGS join_use_nulls = 0;

-- Types that nothing has classified, the most frequent first: no word of the name, no revenue and no override has
-- made any event of them other than neutral. Types that are sent as neutral on purpose are there as well.
CREATE VIEW unclassified_event_types{{.OnCluster}} AS
SELECT
    workspace_id, event_type,
    count() AS events,
    min(event_at) AS first_seen_at,
    max(event_at) AS last_seen_at,
    arraySort(groupUniqArray(product_id)) AS products,
    argMax(insert_id, (event_at, insert_id)) AS example_insert_id
FROM outcomes
GROUP BY workspace_id, event_type
HAVING countIf(influence != 'neutral') = 0
ORDER BY events DESC, workspace_id, event_type;

-- +goose Down
DROP VIEW unclassified_event_types{{.OnCluster}};
DROP VIEW conversation_conversion{{.OnCluster}};
DROP VIEW organization_outcomes{{.OnCluster}};
DROP VIEW user_outcomes{{.OnCluster}};
DROP VIEW conversation_outcomes{{.OnCluster}};
DROP VIEW outcomes_daily{{.OnCluster}};
