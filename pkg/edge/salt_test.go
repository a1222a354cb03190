package edge

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/stream"
)

// partitions are as many as a topic has by default.
const partitions = 16

// batchOf has one message of each of so many users.
func batchOf(users int) string {
	var list []string
	for i := range users {
		list = append(list, fmt.Sprintf(`{"type":"track","event":"E","userId":"user %d"}`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// userOf is whom a record is about, by either API.
func userOf(t *testing.T, r *kgo.Record) string {
	var m struct {
		UserID         string `json:"userId"`
		ExternalUserID string `json:"externalUserId"`
	}
	require.NoError(t, json.Unmarshal(r.Value, &m))
	return m.UserID + m.ExternalUserID
}

// One user's messages share a partition, whichever endpoint they come by, and users are spread over the product's own
// partition and those behind it.
func TestSaltedProduct_UsersShareAPartition(t *testing.T) {
	const users, over = 100, 3
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{Salts: over})
	for range 2 {
		requireAnswer(t, r.post(s.path(), batchOf(users)), 200, accepted(users, users, 0))
	}
	for path, fields := range map[string]string{identifyPath: "", eventsPath: `"eventType":"E",`, conversationsPath: `"externalConversationId":"c",`} {
		for i := range 10 {
			requireAnswer(t, r.post(path, fmt.Sprintf(`{%s"externalUserId":"user %d"}`, fields, i), "Authorization", "Bearer "+s.token), 200, accepted(1, 1, 0))
		}
	}
	of, each := map[string]int32{}, map[int32]int{}
	for _, record := range r.records(ingest) {
		user := userOf(t, record)
		if at, met := of[user]; met {
			require.Equal(t, at, record.Partition, user)
			continue
		}
		of[user] = record.Partition
		each[record.Partition]++
	}
	require.Len(t, of, users)
	own := stream.PartitionOf(s.WorkspaceID, s.ProductID, partitions)
	require.Len(t, each, over)
	for i := range int32(over) {
		require.Greater(t, each[(own+i)%partitions], users/over/2)
	}
	r.requireNothingHeld()
}

// A change of it is in force like any other.
func TestSaltedProduct_SaltsCanBeChanged(t *testing.T) {
	t.Parallel()
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	used := func() int {
		all := map[int32]bool{}
		for _, record := range r.records(ingest) {
			all[record.Partition] = true
		}
		return len(all)
	}
	for _, n := range []int{1, partitions} {
		_, err := r.store.SetSalts(context.Background(), s.ID, n)
		require.NoError(t, err)
		r.settle()
		requireAnswer(t, r.post(s.path(), batchOf(100)), 200, accepted(100, 100, 0))
		require.Equal(t, n, used())
	}
}
