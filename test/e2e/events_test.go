package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eventsURL is where the API is on the edge that a webhook's URL leads to.
func eventsURL(segmentURL string) string {
	return segmentURL[:strings.Index(segmentURL, "/v1/")] + "/v1/events"
}

// The README's own request, and what becomes of it.
func TestEventsAPI_Event_IsStored(t *testing.T) {
	const event = `{"insertId":"order-4711-paid","eventType":"Order Completed","eventAt":"2026-05-18T12:00:00Z","externalUserId":"user_4711","userHints":{"email":"ada@example.com","name":"Ada"},"externalOrganizationId":"org_42","organizationHints":{"name":"Engines"},"value":"49.90","currency":"usd","qualityImpactScore":0.5,"externalConversationId":"conv_7","properties":{"plan": "pro"}}`
	u := startUp(t, t.TempDir())
	url, authorization := eventsURL(u.SegmentURL), []string{"Authorization", "Bearer " + tokenOf(u.SegmentURL)}
	for range 2 { // the second delivery changes nothing
		status, answer := post(t, url, event, authorization...)
		require.Equal(t, 200, status, answer)
		require.JSONEq(t, `{"received":1,"accepted":1,"dropped":0}`, answer)
	}
	u.await("1", "SELECT count() FROM outcomes")
	var row map[string]any
	require.NoError(t, json.Unmarshal([]byte(u.sql("SELECT * FROM outcomes FORMAT JSONEachRow SETTINGS output_format_json_quote_decimals=1")), &row))
	require.NotEmpty(t, row["received_at"])
	delete(row, "received_at")
	require.Equal(t, map[string]any{
		"workspace_id": "default", "product_id": u.ProductID, "connection_id": u.ConnectionID,
		"insert_id": "api:order-4711-paid", "message_id": "order-4711-paid", "message_type": "event",
		"event_type": "Order Completed", "source_event": "Order Completed",
		"event_at": "2026-05-18 12:00:00.000", "event_at_source": "eventAt",
		"external_user_id": "user_4711", "user_id": "57f91b01-e390-52e9-81c2-7e31a02092a6", "user_email": "ada@example.com", "user_name": "Ada",
		"external_organization_id": "org_42", "organization_id": "2b8572bb-82c9-5bdd-ae71-3bd5dec97e06", "organization_name": "Engines",
		"external_conversation_id": "conv_7", "conversation_id": nil,
		"influence": "positive", "quality_impact_score": 0.5, "value": "49.9", "value_type": "currency", "value_text": "49.90", "currency": "USD",
		"properties": `{"plan": "pro"}`, "source": "api",
	}, row)

	// Without an insertId the bytes themselves are the id; and the same token serves the webhook.
	status, answer := post(t, url, `[{"eventType":"E"},{"eventType":"E"},{"eventType":"E","eventAt":"soon"},5]`, authorization...)
	require.Equal(t, 200, status, answer)
	require.JSONEq(t, `{"received":4,"accepted":2,"dropped":2,"errors":[{"index":2,"code":"invalid_event_at"},{"index":3,"code":"not_an_event"}]}`, answer)
	status, _ = post(t, u.SegmentURL, sample)
	require.Equal(t, 200, status)
	u.await("api\tE\t\\N\napi\tOrder Completed\torder-4711-paid\nsegment\tOrder Completed\tmsg_test_001", "SELECT source, event_type, message_id FROM outcomes ORDER BY source, event_type")
	u.await("api\tinvalid_event_at\t{\"eventType\":\"E\",\"eventAt\":\"soon\"}\napi\tnot_an_event\t5", "SELECT source, reason, message FROM dead_letters ORDER BY reason")

	status, answer = post(t, url, event)
	require.Equal(t, 401, status, answer)
	require.NoError(t, u.stop())
}
