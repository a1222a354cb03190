-- +goose Up

-- Events as an analyst wants them: each once, whatever has been merged. Rows that replace each other are
-- in one partition by construction, so FINAL need not compare across partitions.
CREATE VIEW outcomes{{.OnCluster}} AS
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
DROP VIEW outcomes{{.OnCluster}};
