package e2e

import (
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// millrace runs a command on the data folder.
func (u *up) millrace(args ...string) (stdout, stderr string, err error) {
	u.t.Helper()
	return run(u.t, nil, "millrace", append(args[:1:1], append([]string{"--data", u.data}, args[1:]...)...)...)
}

func (u *up) replay(args ...string) string {
	u.t.Helper()
	out, errs, err := u.millrace(append([]string{"replay"}, args...)...)
	require.NoError(u.t, err, errs)
	return out
}

// settled waits until all that was written so far is loaded: behind it in each product's partition comes an event
// that can be seen.
func (u *up) settled(mark string) {
	u.t.Helper()
	status, answer := post(u.t, u.SegmentURL, `{"type":"track","event":"Mark","messageId":"`+mark+`"}`)
	require.Equal(u.t, 200, status, answer)
	u.await("1", "SELECT count() FROM outcomes WHERE message_id = '"+mark+"'")
}

const withoutMarks = "SELECT * FROM outcomes WHERE event_type != 'Mark' ORDER BY insert_id"

// Everything that was ever taken is replayed, dead letters included, and again; then the table is lost, and a replay
// brings it back.
func TestReplay_Twice_ChangesNothing(t *testing.T) {
	u := startUp(t, t.TempDir())
	authorization := []string{"Authorization", "Bearer " + tokenOf(u.SegmentURL)}
	api := strings.TrimSuffix(eventsURL(u.SegmentURL), "/events")
	for _, call := range []struct{ url, body string }{
		{u.SegmentURL, sample},
		{u.SegmentURL, sample}, // a resend
		{u.SegmentURL, strings.Replace(sample, "12:00:00Z", "12:00:09Z", 1)}, // and one with another timestamp
		{u.SegmentURL, `{"batch":[{"type":"track","event":"Payment Failed","userId":"u2","messageId":"m2","timestamp":"2026-05-18T12:03:00Z"},5,
			{"type":"track","properties":[],"messageId":"m3"}],"context":{"traits":{"email":"ada@example.com"},"groupId":"org_1"}}`},
		{api + "/identify", `[{"externalUserId":"user_test_123","email":"grace@example.com","timestamp":"2026-05-18T11:40:00Z"},{"externalUserId":7.5}]`},
		{api + "/conversations", `{"externalConversationId":"chat-1","externalUserId":"user_test_123","timestamp":"2026-05-18T11:50:00Z"}`},
		{api + "/events", `[{"eventType":"No Id"},{"eventType":"E","eventAt":"soon"}]`},
	} {
		status, answer := post(t, call.url, call.body, authorization...)
		require.Equal(t, 200, status, answer)
	}
	u.settled("loaded")
	u.await("chat-1", "SELECT c.external_conversation_id FROM outcomes AS o JOIN conversations AS c USING (product_id, conversation_id) WHERE message_id = 'msg_test_001'")
	right, letters := u.sql(withoutMarks), u.sql("SELECT count() FROM dead_letters")
	require.Len(t, strings.Split(right, "\n"), 3)

	dry := u.replay("--from", "start", "--dead-letters", "--dry-run")
	require.Contains(t, dry, "Nothing was written")
	require.Regexp(t, `(?m)^default +`+u.ProductID+` +event, dead letter +3$`, dry)
	require.Regexp(t, `(?m)^default +`+u.ProductID+` +identify +1$`, dry)
	require.Regexp(t, `(?m)^default +`+u.ProductID+` +identify, dead letter +1$`, dry)
	for _, mark := range []string{"once", "twice"} {
		require.NotContains(t, u.replay("--from", "1h", "--dead-letters", "--rate", "100000"), "would be")
		u.settled(mark)
		require.Equal(t, right, u.sql(withoutMarks))
	}
	require.Contains(t, u.replay("--from", "start", "--dry-run"), "copies or dead letters of records that are replayed themselves", "the replays are not replayed")
	require.NotEqual(t, letters, u.sql("SELECT count() FROM dead_letters"), "the control: dead letters were tried again")

	u.sql("TRUNCATE TABLE events")
	u.replay("--from", "start")
	u.settled("lost")
	require.Equal(t, right, u.sql(withoutMarks))
	require.NoError(t, u.stop())
}

// A stop on the way says how to go on, and who does what it says has replayed all.
func TestReplay_Interrupted_Resumes(t *testing.T) {
	u := startUp(t, t.TempDir())
	var messages []string
	for i := range 500 {
		messages = append(messages, `{"type":"track","event":"E","messageId":"m`+strings.Repeat("x", i)+`","timestamp":"2026-05-18T12:00:00Z"}`)
	}
	status, answer := post(t, u.SegmentURL, "["+strings.Join(messages, ",")+"]")
	require.Equal(t, 200, status, answer)
	u.await("500", "SELECT count() FROM outcomes")
	u.sql("TRUNCATE TABLE events")

	p := start(t, nil, "millrace", "replay", "--data", u.data, "--from", "start", "--rate", "50")
	u.await("1", "SELECT count() > 0 FROM outcomes")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
	require.Error(t, p.wait(), "who waits for the whole must not take it for done")
	said := p.output.String()
	require.Contains(t, said, "stopped before the end")
	flags := regexp.MustCompile(`--from-offset (\S+) --until (\S+)`).FindStringSubmatch(said)
	require.Len(t, flags, 3, said)
	require.NotEqual(t, "500", u.sql("SELECT count() FROM outcomes"), "the control: it was stopped on the way")
	u.replay("--from-offset", flags[1], "--until", flags[2])
	u.await("500", "SELECT count() FROM outcomes")
	require.NoError(t, u.stop())
}

func TestReplay_InvalidRange_IsRefused(t *testing.T) {
	u := startUp(t, t.TempDir())
	status, _ := post(t, u.SegmentURL, sample)
	require.Equal(t, 200, status)
	u.settled("loaded")
	for name, row := range map[string]struct {
		args []string
		says string
	}{
		"from nowhere":            {nil, "--from 36h"},
		"from twice":              {[]string{"--from", "1h", "--from-offset", "0:1"}, "give one of them"},
		"no time":                 {[]string{"--from", "yesterday"}, `"yesterday" is no time such as`},
		"until before from":       {[]string{"--from", "1h", "--until", "2h"}, "is not before --until"},
		"from the future":         {[]string{"--from", "2999-01-01T00:00:00Z"}, "is not before --until"},
		"no offset":               {[]string{"--from-offset", "0"}, "3:1500"},
		"an offset not there yet": {[]string{"--from-offset", "0:999"}, "has no offset 999"},
		"no such partition":       {[]string{"--from-offset", "99:0"}, "has no partition 99"},
		"a reason of messages":    {[]string{"--from", "1h", "--reason", "x"}, "--only-dead-letters"},
		"letters from a message":  {[]string{"--from-offset", "1:0", "--only-dead-letters"}, "write dead-letters/1:0"},
		"another prefix":          {[]string{"--from", "1h", "--topic-prefix", "another"}, "another.ingest"},
		"backwards":               {[]string{"--from", "1h", "--rate=-1"}, "--rate is -1"},
	} {
		_, errs, err := u.millrace(append([]string{"replay"}, row.args...)...)
		require.Error(t, err, name)
		require.Contains(t, errs, row.says, name)
	}
	out, errs, err := u.millrace("replay", "--from", "1h", "--product", "nobody")
	require.NoError(t, err, errs)
	require.Contains(t, errs, `Nothing of product "nobody" is there`)
	require.Contains(t, out, "of other products")
	require.NoError(t, u.stop())
}
