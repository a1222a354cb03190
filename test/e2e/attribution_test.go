package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	attributed = `SELECT event_type, u.external_user_id, u.name, c.external_conversation_id FROM outcomes AS o
		LEFT JOIN users AS u USING (workspace_id, user_id) LEFT JOIN conversations AS c USING (product_id, conversation_id) ORDER BY event_at`
	everybody = "SELECT external_user_id, email, name, created_from, source, toString(created_at), properties, user_id FROM users ORDER BY external_user_id"
)

func lines(rows ...string) string { return strings.Join(rows, "\n") }

// The README's tour: the events come before anybody has said whose they are and which conversations there were.
func TestAttribution_UserOrganizationAndConversation(t *testing.T) {
	t.Parallel()
	u := startUp(t, t.TempDir())
	authorization := []string{"Authorization", "Bearer " + tokenOf(u.SegmentURL)}
	api := strings.TrimSuffix(eventsURL(u.SegmentURL), "/events")
	calls := []struct{ url, body string }{
		{u.SegmentURL, sample},
		{u.SegmentURL, `{"type":"track","event":"Payment Failed","userId":"u2","messageId":"m2","timestamp":"2026-05-18T12:03:00Z",
			"context":{"traits":{"email":"Ada@Example.com"},"groupId":"org_1"},"properties":{"gf_conversation_id":"chat-2"}}`},
		{api + "/identify", `{"batch":[{"externalUserId":"user_test_123","email":"grace@example.com","name":"Grace","timestamp":"2026-05-18T11:40:00Z"},
			{"externalUserId":"u2","name":"Ada","properties":{"plan":"pro"},"timestamp":"2026-05-18T12:30:00Z"}]}`},
		{api + "/conversations", `[{"externalConversationId":"chat-1","externalUserId":"user_test_123","timestamp":"2026-05-18T11:50:00Z"},
			{"externalConversationId":"chat-2","email":"ada@example.com","timestamp":"2026-05-18T12:10:00Z"}]`},
		{api + "/events", `[{"insertId":"m3","eventType":"Plan Upgraded","eventAt":"2026-05-18T12:05:00.000Z","userHints":{"email":"GRACE@example.com"},"value":20,"currency":"USD"},
			{"insertId":"m4","eventType":"Plan Downgraded","eventAt":"2026-05-18T12:05:00.001Z","externalUserId":"user_test_123"}]`},
	}
	say := func(url, body string) {
		t.Helper()
		status, answer := post(t, url, body, authorization...)
		require.Equal(t, 200, status, answer)
		require.Contains(t, answer, `"dropped":0`)
	}

	say(calls[0].url, calls[0].body)
	say(calls[1].url, calls[1].body)
	u.await(lines("Order Completed\t\\N\t\\N\t", "Payment Failed\tu2\t\\N\t"), attributed)
	made := u.sql("SELECT user_id FROM outcomes WHERE message_id = 'm2'")
	require.Equal(t, "u2\tada@example.com\t\\N\tanalytics\tsegment\t2026-05-18 12:03:00.000\t"+`{"created_from":"analytics","source":"segment"}`+"\t"+made, u.sql(everybody),
		"the event with an address has made a user, the one without has not")

	for _, call := range calls[2:] {
		say(call.url, call.body)
	}
	told := lines("Order Completed\tuser_test_123\tGrace\tchat-1", "Payment Failed\tu2\tAda\tchat-2", "Plan Upgraded\tuser_test_123\tGrace\tchat-1", "Plan Downgraded\tuser_test_123\tGrace\t")
	u.await(told, attributed)
	people := u.sql(everybody)
	require.Equal(t, lines(
		"u2\tada@example.com\tAda\tanalytics\tsegment\t2026-05-18 12:03:00.000\t"+`{"created_from":"analytics","source":"segment","plan":"pro"}`+"\t"+made,
		"user_test_123\tgrace@example.com\tGrace\tidentify\tapi\t2026-05-18 11:40:00.000\t{}\t"+u.sql("SELECT user_id FROM outcomes WHERE message_id = 'm3'"),
	), people, "the user that was made is the one that was identified")
	require.Equal(t, lines("chat-1\t2\t2\t0\t{'':49,'USD':20}\t600\t600", "chat-2\t1\t0\t1\t{}\t-420\t\\N"),
		u.sql("SELECT external_conversation_id, outcomes, positive, negative, value_by_currency, first_outcome_after_start_seconds, first_outcome_after_activity_seconds FROM conversation_outcomes ORDER BY ALL"))
	require.Equal(t, "org_1\t1\t1", u.sql("SELECT external_organization_id, users, outcomes FROM organization_outcomes"))

	for i := len(calls) - 1; i >= 0; i-- { // all of it once more, the other way round
		say(calls[i].url, calls[i].body)
	}
	say(api+"/events", `{"eventType":"Behind All Others","eventAt":"2026-05-19T12:00:00Z"}`)
	u.await(told+"\nBehind All Others\t\\N\t\\N\t", attributed)
	require.Equal(t, people, u.sql(everybody))
	require.NoError(t, u.stop())

	again := startUp(t, u.data)
	require.Equal(t, people, again.sql(everybody))
	say(eventsURL(again.SegmentURL), `{"insertId":"m5","eventType":"Signed Up","eventAt":"2026-05-20T12:00:00Z","externalUserId":"u2"}`)
	again.await("u2", "SELECT u.external_user_id FROM outcomes AS o LEFT JOIN users AS u USING (workspace_id, user_id) WHERE message_id = 'm5'")
	require.NoError(t, again.stop())
}
