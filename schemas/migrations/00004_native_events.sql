-- +goose Up

-- Events of our own API: a type and a source of their time of their own, and message ids behind "api:".
ALTER TABLE events
    MODIFY COLUMN message_type Enum8('track' = 1, 'page' = 2, 'screen' = 3, 'event' = 4),
    MODIFY COLUMN event_at_source Enum8('timestamp' = 1, 'originalTimestamp' = 2, 'sentAt' = 3, 'receivedAt' = 4, 'edge' = 5, 'eventAt' = 6),
    MODIFY COLUMN message_id Nullable(String) ALIAS if(match(insert_id, '^(segment|api):sha256:[0-9a-f]{64}$'), NULL, substring(insert_id, position(insert_id, ':') + 1));

-- A view keeps the types of its columns from when it was made.
CREATE OR REPLACE VIEW outcomes AS
SELECT
    workspace_id, product_id, connection_id,
    insert_id, message_id, message_type, event_type, source_event,
    event_at, event_at_source, received_at,
    external_user_id, user_id, user_email, user_name,
    external_organization_id, organization_id, organization_name,
    external_conversation_id, conversation_id,
    influence, quality_impact_score,
    value, value_type, value_text, currency,
    properties, source
FROM events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- +goose Down

-- The events of our own API would be without a type.
ALTER TABLE events DELETE WHERE message_type = 'event' SETTINGS mutations_sync = 2;
ALTER TABLE events
    MODIFY COLUMN message_type Enum8('track' = 1, 'page' = 2, 'screen' = 3),
    MODIFY COLUMN event_at_source Enum8('timestamp' = 1, 'originalTimestamp' = 2, 'sentAt' = 3, 'receivedAt' = 4, 'edge' = 5),
    MODIFY COLUMN message_id Nullable(String) ALIAS if(match(insert_id, '^segment:sha256:[0-9a-f]{64}$'), NULL, substring(insert_id, position(insert_id, ':') + 1));
CREATE OR REPLACE VIEW outcomes AS
SELECT
    workspace_id, product_id, connection_id,
    insert_id, message_id, message_type, event_type, source_event,
    event_at, event_at_source, received_at,
    external_user_id, user_id, user_email, user_name,
    external_organization_id, organization_id, organization_name,
    external_conversation_id, conversation_id,
    influence, quality_impact_score,
    value, value_type, value_text, currency,
    properties, source
FROM events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
