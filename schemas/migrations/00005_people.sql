-- +goose Up

-- Users as all that has been said of them makes them. An address belongs to the external id that an identify or a
-- conversation named with it first; else to the one that an event named with it first; else it is a user of its
-- own. An external id is a user if an identify or a conversation named it, or if an address belongs to it, or if it
-- came with 64 addresses or more: that is no person but a mistake of the sender's, and is not looked into further.
--
-- One that was made here, from an event, says so in its properties, also when an identify names it later.
CREATE VIEW users{{.OnCluster}} AS
WITH
    9223372036854775807 AS never,
    claims AS
    (
        SELECT
            workspace_id, external_user_id, email, any(user_id) AS user,
            min(explicit_first) AS explicit, min(event_first) AS event,
            min(name_first) AS first_name, max(name_last) AS last_name,
            max(email_last) AS email_said, max(organization_last) AS organization, max(properties_last) AS said
        FROM user_claims
        GROUP BY workspace_id, external_user_id, email
    ),
    owned AS
    (
        SELECT *, email != '' AND user = argMin(user, (
                multiIf(external_user_id = '', 2, explicit.1 = never, 1, 0),
                multiIf(external_user_id = '', 0, explicit.1 = never, event.1, explicit.1),
                toString(user)))
            OVER (PARTITION BY workspace_id, email) AS owns
        FROM claims
    ),
    people AS
    (
        SELECT
            workspace_id, external_user_id, any(user) AS id,
            argMaxIf(email, (email_said, owns, -least(explicit.1, event.1), email), email != '') AS address,
            if(max(last_name).2 != '', max(last_name).2, min(first_name).2) AS called,
            max(organization).2 AS member_of,
            external_user_id != '' AND count() >= 64 AS crowded,
            min(explicit) AS identified, if(max(owns) OR NOT crowded, min(if(owns, event, (never, ''))), min(event)) AS seen,
            seen.1 < identified.1 AS made_here,
            max(said).2 AS said
        FROM owned
        GROUP BY workspace_id, external_user_id, if(external_user_id = '', email, '')
        HAVING max(owns) OR crowded OR external_user_id != '' AND identified.1 != never
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
    multiIf(
        NOT made_here, if(said = '', '{}', said),
        match(said, '^(\\s*\\{\\s*\\}\\s*)?$'), concat('{"created_from":"analytics","source":"', source, '"}'),
        replaceRegexpOne(said, '^\\s*\\{', concat('{"created_from":"analytics","source":"', source, '",'))) AS properties
FROM people;

-- Organizations, in the same way: each has an id, and nothing else decides which one it is.
CREATE VIEW organizations{{.OnCluster}} AS
WITH organizations_said AS
(
    SELECT
        workspace_id, external_organization_id, any(organization_id) AS id,
        if(max(name_last).2 != '', max(name_last).2, min(name_first).2) AS called,
        min(explicit_first) AS identified, min(event_first) AS seen, seen.1 < identified.1 AS made_here
    FROM organization_claims
    GROUP BY workspace_id, external_organization_id
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

-- Conversations: each is known from its activities, and belongs to the user of the latest that names one.
CREATE VIEW conversations{{.OnCluster}} AS
SELECT
    workspace_id, product_id,
    any(conversation_id) AS conversation_id,
    external_conversation_id,
    argMaxIf(user_id, (activity_at, toString(user_id)), user_id IS NOT NULL) AS user_id,
    min(activity_at) AS started_at,
    max(activity_at) AS last_activity_at,
    count() AS activities,
    argMax(properties, (activity_at, properties)) AS properties
FROM conversation_activity FINAL
GROUP BY workspace_id, product_id, external_conversation_id
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- +goose Down
DROP VIEW conversations{{.OnCluster}};
DROP VIEW organizations{{.OnCluster}};
DROP VIEW users{{.OnCluster}};
