package warehouse

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/column"
	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
)

func TestEvents_Reset_GivesMemoryToOtherBlocks(t *testing.T) {
	fill := func(append func(*mapping.Event, *Origin)) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		benchEvents(append)
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	others := fill(func(*mapping.Event, *Origin) {})
	one, another := NewEvents(), NewEvents()
	fill(one.Append)
	size := int64(one.Bytes())
	one.Reset()
	require.Less(t, fill(another.Append)-others, size/10) // what its columns begin with is small, and their own
}

// Rows beyond the first page of a column can be read, changed and removed.
func TestEvents_RowsBeyondFirstPage_AreReadAndChanged(t *testing.T) {
	b := NewEvents()
	benchEvents(b.Append)
	require.False(t, b.HasExternalConversations())
	e, o := plain, origin
	e.ExternalUserID, e.ExternalConversationID, e.InsertID = []byte("the last"), []byte("chat"), []byte("segment:last")
	o.Offset = 4711
	b.Append(&e, &o)
	last := b.Rows() - 1
	require.True(t, b.HasExternalConversations())
	b.SetUser(last, identity.UserID([]byte("w"), []byte("the last")))
	user, known := b.User(last)
	require.True(t, known)
	require.Equal(t, identity.UserID([]byte("w"), []byte("the last")), user)
	_, known = b.User(last - 1)
	require.False(t, known)
	s, p := b.EntityRows(), b.UserRows()
	for range b.Rows() {
		require.True(t, s.Next() && p.Next())
	}
	require.Equal(t, "the last", string(s.ExternalUserID))
	require.Equal(t, "the last", string(p.ExternalUserID))
	require.Equal(t, "chat", string(s.ExternalConversationID))
	require.False(t, s.Next() || p.Next())

	part := b.slice(last, last+1)
	require.Equal(t, 1, part.Rows())
	require.EqualValues(t, 4711, columnNamed[*column.Fixed](part, "kafka_offset").Int64(0))

	marked := make([]bool, b.Rows())
	for row := range last {
		marked[row] = true
	}
	b.RemoveRows(marked)
	require.Equal(t, 1, b.Rows())
	require.EqualValues(t, 4711, b.Offset(0))
	user, _ = b.User(0)
	require.Equal(t, identity.UserID([]byte("w"), []byte("the last")), user)
}

// Every declared column is in its table with the same type, and every column of the table is declared, except those
// that ClickHouse fills.
func TestBlocks_DeclaredColumns_AreThoseOfTheMigrations(t *testing.T) {
	db, _ := migrated(t)
	progress := newProgress()
	for _, b := range []*block{
		NewEvents().self(), NewDeadLetters().self(), NewUserClaims(1).self(), NewOrganizationClaims().self(),
		NewActivities(1).self(), NewProducts().self(), progress.self(),
	} {
		var declared []string
		for i, c := range b.columns {
			declared = append(declared, b.names[i]+" "+string(c.Type()))
		}
		stored := db.Exec(t, "SELECT name, replaceRegexpOne(type, '^SimpleAggregateFunction\\(\\w+, (.*)\\)$', '\\1') FROM system.columns WHERE database = currentDatabase() AND table = '"+b.table+
			"' AND default_kind != 'ALIAS' AND name != 'written_at' FORMAT TSVRaw")
		require.ElementsMatch(t, strings.Split(strings.ReplaceAll(stored, "\t", " "), "\n"), declared, b.table)
	}
}
