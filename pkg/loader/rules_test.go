package loader

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/identity"
)

// rule is a public rule of attribution with an example: messages and the rows that result. Each runs with the messages
// in order, in reverse order, and with each message twice.
type rule struct {
	name     string
	messages []string // kind, workspace, product, JSON
	query    string
	want     string
}

var rules = []rule{
	{
		name: "a user is found by external id within the workspace, then by address",
		messages: []string{
			`identify w p {"externalUserId":"u","email":"u@x.io","timestamp":"2026-05-18T11:00:00Z"}`,
			`identify v q {"externalUserId":"u","timestamp":"2026-05-18T11:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"1","userId":"u","context":{"traits":{"email":"other@x.io"}},"timestamp":"2026-05-18T12:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"2","userId":"unknown","context":{"traits":{"email":"U@X.io"}},"timestamp":"2026-05-18T12:00:00Z"}`,
			`event v q {"type":"track","event":"E","messageId":"3","userId":"u","timestamp":"2026-05-18T12:00:00Z"}`,
			`event v q {"type":"track","event":"E","messageId":"4","anonymousId":"a","context":{"traits":{"email":"u@x.io"}},"timestamp":"2026-05-18T12:00:00Z"}`,
		},
		query: "SELECT message_id, workspace_id, u.external_user_id, u.email FROM outcomes AS o INNER JOIN users AS u USING (workspace_id, user_id) ORDER BY message_id",
		want:  "1\tw\tu\tu@x.io\n2\tw\tu\tu@x.io\n3\tv\tu\t\\N\n4\tv\ta\tu@x.io",
	},
	{
		name: "else a user is created if there is an address, else user_id is null",
		messages: []string{
			`event w p {"type":"track","event":"E","messageId":"1","context":{"traits":{"email":"Made@x.io","name":"Made"}},"timestamp":"2026-05-18T12:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"2","userId":"unknown","timestamp":"2026-05-18T12:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"3","timestamp":"2026-05-18T12:00:00Z"}`,
		},
		query: "SELECT message_id, u.email, u.name, u.properties FROM outcomes AS o LEFT JOIN users AS u USING (workspace_id, user_id) ORDER BY message_id SETTINGS join_use_nulls = 1",
		want:  "1\tmade@x.io\tMade\t" + `{"created_from":"analytics","source":"segment"}` + "\n2\t\\N\t\\N\t\\N\n3\t\\N\t\\N\t\\N",
	},
	{
		name: "a later identify with the same external id reuses the row, and its marks stay",
		messages: []string{
			`event w p {"type":"track","event":"E","messageId":"1","userId":"u","context":{"traits":{"email":"u@x.io","name":"First"}},"timestamp":"2026-05-18T12:00:00Z"}`,
			`identify w p {"externalUserId":"u","name":"Later","properties":{"plan":"pro"},"timestamp":"2026-05-18T13:00:00Z"}`,
		},
		query: "SELECT external_user_id, email, name, created_from, source, properties, user_id = (SELECT any(user_id) FROM outcomes) FROM users",
		want:  "u\tu@x.io\tLater\tanalytics\tsegment\t" + `{"created_from":"analytics","source":"segment","plan":"pro"}` + "\t1",
	},
	{
		name: "a user with an earlier identify was not created by analytics",
		messages: []string{
			`identify w p {"externalUserId":"u","timestamp":"2026-05-18T11:59:59.999Z"}`,
			`event w p {"type":"track","event":"E","messageId":"1","userId":"u","context":{"traits":{"email":"u@x.io"}},"timestamp":"2026-05-18T12:00:00Z"}`,
		},
		query: "SELECT external_user_id, created_from, properties FROM users",
		want:  "u\tidentify\t{}",
	},
	{
		name: "an organization is found by id, never by name, and is created if there is an id",
		messages: []string{
			`event w p {"type":"track","event":"E","messageId":"1","context":{"groupId":"o1"},"properties":{"organization_name":"Same"},"timestamp":"2026-05-18T12:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"2","context":{"groupId":"o2"},"properties":{"organization_name":"Same"},"timestamp":"2026-05-18T12:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"3","properties":{"organization_name":"Same"},"timestamp":"2026-05-18T12:00:00Z"}`,
		},
		query: "SELECT message_id, g.external_organization_id, g.name, g.created_from, g.source FROM outcomes AS o LEFT JOIN organizations AS g USING (workspace_id, organization_id) ORDER BY message_id SETTINGS join_use_nulls = 1",
		want:  "1\to1\tSame\tanalytics\tsegment\n2\to2\tSame\tanalytics\tsegment\n3\t\\N\t\\N\t\\N\t\\N",
	},
	{
		name: "gf_conversation_id names the conversation, which is filled in when it is known",
		messages: []string{
			`conversation w p {"externalConversationId":"near","externalUserId":"u","timestamp":"2026-05-18T12:00:00Z"}`,
			`conversation w p {"externalConversationId":"far","timestamp":"2026-06-18T12:00:00Z"}`,
			`conversation w q {"externalConversationId":"elsewhere","timestamp":"2026-05-18T12:00:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"1","userId":"u","properties":{"gf_conversation_id":"far"},"timestamp":"2026-05-18T12:01:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"2","userId":"u","properties":{"gf_conversation_id":"unknown"},"timestamp":"2026-05-18T12:01:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"3","userId":"u","properties":{"gf_conversation_id":"elsewhere"},"timestamp":"2026-05-18T12:01:00Z"}`,
		},
		query: "SELECT message_id, o.external_conversation_id, c.external_conversation_id FROM outcomes AS o LEFT JOIN conversations AS c USING (product_id, conversation_id) ORDER BY message_id SETTINGS join_use_nulls = 1",
		want:  "1\tfar\tfar\n2\tunknown\t\\N\n3\telsewhere\t\\N",
	},
	{
		// external_conversation_id is the one in the event, or null.
		name: "else it is the user's latest in the product within 15 minutes up to the event, both ends included",
		messages: []string{
			`identify w p {"externalUserId":"u","email":"u@x.io","timestamp":"2026-05-18T11:00:00Z"}`,
			`conversation w p {"externalConversationId":"first","externalUserId":"u","timestamp":"2026-05-18T12:00:00.500Z"}`,
			`conversation w p {"externalConversationId":"second","email":"u@x.io","timestamp":"2026-05-18T12:10:00.500Z"}`,
			`conversation w p {"externalConversationId":"other user's","externalUserId":"v","timestamp":"2026-05-18T12:12:00Z"}`,
			`conversation w p {"externalConversationId":"no user's","timestamp":"2026-05-18T12:12:00Z"}`,
			`conversation w q {"externalConversationId":"elsewhere","externalUserId":"u","timestamp":"2026-05-18T12:12:00Z"}`,
			`event w p {"type":"track","event":"E","messageId":"1","userId":"u","timestamp":"2026-05-18T12:00:00.499Z"}`,
			`event w p {"type":"track","event":"E","messageId":"2","userId":"u","timestamp":"2026-05-18T12:00:00.500Z"}`,
			`event w p {"type":"track","event":"E","messageId":"3","userId":"u","timestamp":"2026-05-18T12:10:00.499Z"}`,
			`event w p {"type":"track","event":"E","messageId":"4","userId":"u","timestamp":"2026-05-18T14:10:00.500+02:00"}`,
			`event w p {"type":"track","event":"E","messageId":"5","context":{"traits":{"email":"U@x.io"}},"timestamp":"2026-05-18T12:25:00.499Z"}`,
			`event w p {"type":"track","event":"E","messageId":"6","userId":"u","timestamp":"2026-05-18T12:25:00.500Z"}`,
			`event w p {"type":"track","event":"E","messageId":"7","userId":"u","timestamp":"2026-05-18T12:25:00.501Z"}`,
			`event w p {"type":"track","event":"E","messageId":"8","timestamp":"2026-05-18T12:12:00Z"}`,
		},
		query: "SELECT message_id, o.external_conversation_id, c.external_conversation_id FROM outcomes AS o LEFT JOIN conversations AS c USING (product_id, conversation_id) ORDER BY message_id SETTINGS join_use_nulls = 1",
		want:  "1\t\\N\t\\N\n2\t\\N\tfirst\n3\t\\N\tfirst\n4\t\\N\tsecond\n5\t\\N\tsecond\n6\t\\N\tsecond\n7\t\\N\t\\N\n8\t\\N\t\\N",
	},
	{
		name: "of two at the same millisecond it is the one with the greater id",
		messages: []string{
			`conversation w p {"externalConversationId":"c1","externalUserId":"u","timestamp":"2026-05-18T12:00:00.500Z"}`,
			`conversation w p {"externalConversationId":"c2","externalUserId":"u","timestamp":"2026-05-18T12:00:00.500Z"}`,
			`conversation w p {"externalConversationId":"c3","externalUserId":"u","timestamp":"2026-05-18T12:00:00.500Z"}`,
			`event w p {"type":"track","event":"E","messageId":"1","userId":"u","timestamp":"2026-05-18T12:00:00.500Z"}`,
		},
		query: "SELECT user_id, conversation_id FROM outcomes",
		want:  identity.UserID([]byte("w"), []byte("u")).String() + "\t" + greatest("c1", "c2", "c3"),
	},
}

func greatest(names ...string) (id string) {
	for _, name := range names {
		id = max(id, identity.ConversationID([]byte("p"), []byte(name)).String())
	}
	return id
}

func TestLoader_AttributionRules(t *testing.T) {
	kfakeOnly(t)
	t.Parallel()
	for _, rule := range rules {
		reversed := slices.Clone(rule.messages)
		slices.Reverse(reversed)
		for order, messages := range map[string][]string{"in order": rule.messages, "reversed": reversed, "twice": append(slices.Clone(reversed), reversed...)} {
			t.Run(rule.name+"/"+order, func(t *testing.T) {
				w := newWorld(t, 2)
				w.load(t)
				for i, m := range messages {
					w.receive(t, i, m)
					if i%2 == 0 {
						w.caughtUp(t) // so that some are in batches of their own
					}
				}
				got := ""
				for deadline := time.Now().Add(time.Minute); got != rule.want && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
					got = w.db.Exec(t, rule.query)
				}
				require.Equal(t, rule.want, got)
			})
		}
	}
}

// receive writes a message as received i microseconds after the first.
func (w *world) receive(t *testing.T, i int, message string) {
	f := strings.SplitN(message, " ", 4)
	r := event(f[3])
	r.Key = []byte(f[2])
	if r.Headers[0].Value = []byte(f[0]); f[0] != "event" {
		r.Headers[1].Value = []byte("api")
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(noon.Add(time.Hour).UnixMicro())+uint64(i))
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "workspace", Value: []byte(f[1])}, kgo.RecordHeader{Key: "received_at", Value: at})
	w.foreign(t, r)
}
