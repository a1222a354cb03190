package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is the event of Segment's setup pages.
const sample = `{
    "type": "track",
    "event": "Order Completed",
    "userId": "user_test_123",
    "messageId": "msg_test_001",
    "timestamp": "2026-05-18T12:00:00Z",
    "properties": {
      "revenue": 49.0,
      "plan": "pro"
    }
  }`

func TestUp_FirstSteps(t *testing.T) {
	u := startUp(t, t.TempDir())

	for range 2 { // the second delivery changes nothing
		status, answer := post(t, u.SegmentURL, sample, "Content-Type", "application/json")
		require.Equal(t, 200, status)
		require.JSONEq(t, `{"received":1,"accepted":1,"dropped":0}`, answer)
	}
	u.await("1", "SELECT count() FROM outcomes")
	var row map[string]any
	require.NoError(t, json.Unmarshal([]byte(u.sql("SELECT * FROM outcomes FORMAT JSONEachRow SETTINGS output_format_json_quote_decimals=1")), &row))
	require.NotEmpty(t, row["received_at"])
	delete(row, "received_at")
	require.Equal(t, map[string]any{
		"workspace_id": "default", "product_id": u.ProductID, "connection_id": u.ConnectionID,
		"insert_id": "segment:msg_test_001", "message_id": "msg_test_001", "message_type": "track",
		"event_type": "Order Completed", "source_event": "Order Completed",
		"event_at": "2026-05-18 12:00:00.000", "event_at_source": "timestamp",
		"external_user_id": "user_test_123", "user_id": nil, "user_email": nil, "user_name": nil,
		"external_organization_id": nil, "organization_id": nil, "organization_name": nil,
		"external_conversation_id": nil, "conversation_id": nil,
		"influence": "positive", "quality_impact_score": nil, "value": "49", "value_type": "currency", "value_text": "49.0", "currency": "",
		"properties": "{\n      \"revenue\": 49.0,\n      \"plan\": \"pro\"\n    }", "source": "segment",
	}, row)

	table, errs, err := run(t, nil, "millrace", "sql", "--data", u.data, "SELECT event_type FROM outcomes")
	require.NoError(t, err, errs)
	require.Contains(t, table, "│ Order Completed │")
	require.Contains(t, u.output.String(), u.SegmentURL, "the terminal shows the URL")

	require.NoError(t, u.stop())
	_, errs, err = run(t, nil, "millrace", "sql", "--data", u.data, "SELECT 1")
	require.Error(t, err)
	require.Contains(t, errs, "millrace up", "the error says what to do")

	again := startUp(t, u.data)
	require.Equal(t, tokenOf(u.SegmentURL), tokenOf(again.SegmentURL), "a second start goes on with the same URL")
	require.Equal(t, "1", again.sql("SELECT count() FROM outcomes"))
	status, _ := post(t, again.SegmentURL, strings.ReplaceAll(sample, "msg_test_001", "msg_test_002"))
	require.Equal(t, 200, status)
	again.await("2", "SELECT count() FROM outcomes")
	require.NoError(t, again.stop())
}

func tokenOf(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func TestWebhook_SixTypesInThreeShapes(t *testing.T) {
	u := startUp(t, t.TempDir())
	six := func(shape string) []string {
		var messages []string
		for _, kind := range []string{"track", "page", "screen", "identify", "group", "alias"} {
			messages = append(messages, `{"type":"`+kind+`","event":"E","name":"N","messageId":"`+shape+kind+`"}`)
		}
		return messages
	}
	for _, message := range six("one-") {
		status, answer := post(t, u.SegmentURL, message)
		require.Equal(t, 200, status)
		require.Contains(t, answer, `"received":1`)
	}
	for _, body := range []string{"[" + strings.Join(six("array-"), ",") + "]", `{"batch":[` + strings.Join(six("batch-"), ",") + `],"context":{"groupId":"g"}}`} {
		status, answer := post(t, u.SegmentURL, body)
		require.Equal(t, 200, status)
		require.JSONEq(t, `{"received":6,"accepted":3,"dropped":3}`, answer)
	}
	u.await(strings.Join([]string{
		"array-page\tpage\tN\t\\N", "array-screen\tscreen\tN\t\\N", "array-track\ttrack\tE\t\\N",
		"batch-page\tpage\tN\tg", "batch-screen\tscreen\tN\tg", "batch-track\ttrack\tE\tg",
		"one-page\tpage\tN\t\\N", "one-screen\tscreen\tN\t\\N", "one-track\ttrack\tE\t\\N",
	}, "\n"), "SELECT message_id, message_type, event_type, external_organization_id FROM outcomes ORDER BY message_id")
	require.NoError(t, u.stop())
}

func TestWebhook_BrokenMessage_NeighboursAreStored(t *testing.T) {
	u := startUp(t, t.TempDir())
	status, answer := post(t, u.SegmentURL, `[5,{"type":"track","event":"E","messageId":"good"},{"type":"track","properties":[]}]`)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"received":3,"accepted":1,"dropped":2,"errors":[{"index":0,"code":"not_a_message"},{"index":2,"code":"invalid_properties"}]}`, answer)
	status, answer = post(t, u.SegmentURL, `[5]`)
	require.Equal(t, 400, status)
	require.Contains(t, answer, `"index":0`)
	u.await("good", "SELECT message_id FROM outcomes")
	u.await("invalid_properties\t{\"type\":\"track\",\"properties\":[]}\nnot_a_message\t5", "SELECT reason, message FROM dead_letters ORDER BY reason")
	require.NoError(t, u.stop())
}

// Who waits for the ready file must not find one of a run before.
func TestUp_ReadyFile_IsOfThisRun(t *testing.T) {
	u := startUp(t, t.TempDir())
	require.FileExists(t, u.readyFile)
	u.kill()
	require.FileExists(t, u.readyFile)
	// A start that fails has got no further than to remove it.
	_, errs, err := run(t, nil, "millrace", "up", "--data", u.data, "--ready-file", u.readyFile, "--http", "256.0.0.1:0", "--admin", "127.0.0.1:0",
		"--kafka", "127.0.0.1:0", "--clickhouse", "127.0.0.1:0", "--clickhouse-http", "127.0.0.1:0")
	require.Error(t, err)
	require.Contains(t, errs, "--http")
	require.NoFileExists(t, u.readyFile)
	again := startUp(t, u.data)
	require.NoError(t, again.stop())
	require.NoFileExists(t, again.readyFile)
}
