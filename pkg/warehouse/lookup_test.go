package warehouse

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/identity"
	"github.com/millrace/millrace/pkg/mapping"
)

func insertRows(t *testing.T, l *Lookup, b IdempotentBlock) {
	t.Helper()
	_, err := l.Insert(t.Context(), b)
	require.NoError(t, err)
}

func lookup(t *testing.T, config Config) *Lookup {
	t.Helper()
	l, err := NewLookup(config)
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

func bytesOrNil(s string) []byte { return nilIfEmpty([]byte(s)) }

// claimed is a claim as a loader writes it.
func claimed(workspace, externalID, email string, explicit, event int64) identity.Claim {
	c := identity.EmptyClaim
	c.Workspace, c.ExternalID, c.Email = []byte(workspace), bytesOrNil(externalID), bytesOrNil(email)
	c.UserID = identity.UserID(c.Workspace, c.ExternalID)
	if c.ExternalID == nil {
		c.UserID = identity.AddressID(c.Workspace, c.Email)
	}
	c.Explicit.At, c.Event.At = explicit, event
	return c
}

const never = identity.Never

func writeClaims(t *testing.T, l *Lookup, writer uint64, claims ...identity.Claim) {
	t.Helper()
	b := NewUserClaims(writer)
	for i := range claims {
		b.Append(&claims[i])
	}
	insertRows(t, l, b)
}

func name(workspace, text string) identity.Name {
	return identity.Name{Workspace: []byte(workspace), Name: []byte(text)}
}

// Names that a query would stumble over if they were pasted into it.
var evil = []string{"o'neil", `back\slash\0`, "nul\x00byte", "tab\tline\nend", "Ünïcode😀", `"); DROP TABLE events; --`, "%_{}", " "}

func TestIdentities_StoredClaims_AreFound(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	claims, holdings, err := l.Identities(t.Context(), nil, nil)
	require.NoError(t, err)
	require.Empty(t, claims)
	require.Empty(t, holdings)
	claims, holdings, err = l.Identities(t.Context(), []identity.Name{name("w", "u")}, []identity.Name{name("w", "u@x")})
	require.NoError(t, err, "empty tables")
	require.Empty(t, claims)
	require.Empty(t, holdings)

	for _, text := range evil {
		named := claimed("w"+text, text, text+"@x", never, 5)
		named.FirstName = identity.Timestamped{At: 7, Text: []byte(text)}
		writeClaims(t, l, 1, named, claimed("w"+text, text, text+"@x", 9, never), claimed("w"+text, "", text+"@x", never, 2),
			claimed("w"+text, text, "", 3, never), claimed("w"+text, text+text, text+"@x", 8, 1), claimed("other", text, text+"@x", never, -5))
		claims, holdings, err := l.Identities(t.Context(), []identity.Name{name("w"+text, text), name("w"+text, "nobody")}, []identity.Name{name("w"+text, "no@x")})
		require.NoError(t, err, text)
		both := claimed("w"+text, text, text+"@x", 9, 5)
		both.FirstName = identity.Timestamped{At: 7, Text: []byte{}}
		require.Equal(t, []identity.Claim{claimed("w"+text, text, "", 3, never), both}, claims, text)
		require.Equal(t, []identity.AddressState{{
			Workspace: []byte("w" + text), Email: []byte(text + "@x"),
			Hold:       identity.Hold{Strength: identity.ByExplicit, At: 8, UserID: identity.UserID([]byte("w"+text), []byte(text+text))},
			ExplicitAt: never, EventAt: 2, NameAt: never,
		}}, holdings, text)
	}
}

func TestIdentities_SharedAddress_HasOneHolder(t *testing.T) {
	a, b := identity.UserID([]byte("w"), []byte("a")), identity.UserID([]byte("w"), []byte("b"))
	least := "a"
	if slices.Compare(b[:], a[:]) < 0 {
		least = "b"
	}
	for what, c := range map[string]struct {
		claims   []identity.Claim
		strength identity.Strength
		at       int64
		holder   string // "" is the address itself
	}{
		"nobody but itself":                {[]identity.Claim{claimed("w", "", "x@x", 1, 2)}, identity.ByAddress, 0, ""},
		"an event before an address alone": {[]identity.Claim{claimed("w", "", "x@x", 1, 1), claimed("w", "a", "x@x", never, 9)}, identity.ByEvent, 9, "a"},
		"the earlier event":                {[]identity.Claim{claimed("w", "a", "x@x", never, 9), claimed("w", "b", "x@x", never, -9)}, identity.ByEvent, -9, "b"},
		"on purpose before an event":       {[]identity.Claim{claimed("w", "a", "x@x", never, 1), claimed("w", "b", "x@x", 9, never)}, identity.ByExplicit, 9, "b"},
		"both at one time":                 {[]identity.Claim{claimed("w", "a", "x@x", 4, never), claimed("w", "b", "x@x", 4, never)}, identity.ByExplicit, 4, least},
		"the sum of a pair's":              {[]identity.Claim{claimed("w", "a", "x@x", never, 1), claimed("w", "a", "x@x", 5, never), claimed("w", "b", "x@x", 6, 0)}, identity.ByExplicit, 5, "a"},
	} {
		t.Run(what, func(t *testing.T) {
			db, config := migrated(t)
			l := lookup(t, config)
			for i, claim := range c.claims { // each by a writer of its own, in a part of its own
				writeClaims(t, l, uint64(i), claim)
			}
			want := identity.Hold{Strength: c.strength, At: c.at, UserID: identity.UserID([]byte("w"), []byte(c.holder))}
			if c.holder == "" {
				want.UserID = identity.AddressID([]byte("w"), []byte("x@x"))
			}
			for _, merged := range []bool{false, true} {
				_, holdings, err := l.Identities(t.Context(), nil, []identity.Name{name("w", "x@x")})
				require.NoError(t, err)
				require.Len(t, holdings, 1)
				require.Equal(t, want, holdings[0].Hold, "merged: %v", merged)
				if !merged {
					db.Exec(t, "OPTIMIZE TABLE user_claims_by_email FINAL")
				}
			}
			require.Equal(t, want.UserID.String(), db.Exec(t, "SELECT toString(argMin(user_id, email = '')) FROM users WHERE user_id = '"+want.UserID.String()+"'"), "the view reckons so too")
		})
	}
}

func TestIdentities_ManyAddresses_ReturnsFirst(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	const all = identity.MaxPairs + 10
	var claims []identity.Claim
	for i := range all {
		claims = append(claims, claimed("w", "guest", fmt.Sprintf("%03d@x", i), never, int64(all-i)), claimed("w", "other", fmt.Sprintf("%03d@x", i), never, 1000))
	}
	claims = append(claims, claimed("w", "guest", "000@x", 5000, never)) // on purpose comes first, however late
	writeClaims(t, l, 1, claims...)
	found, holdings, err := l.Identities(t.Context(), []identity.Name{name("w", "guest")}, nil)
	require.NoError(t, err)
	require.Len(t, found, identity.MaxPairs)
	require.Len(t, holdings, identity.MaxPairs)
	require.Equal(t, "000@x", string(found[0].Email))
	for i, c := range found[1:] {
		require.Equal(t, int64(i+1), c.Event.At)
	}
	found, _, err = l.Identities(t.Context(), []identity.Name{name("w", "guest"), name("w", "other")}, nil)
	require.NoError(t, err)
	require.Len(t, found, 2*identity.MaxPairs, "of each external id as many")
}

// activityOf is an activity of a user, or of nobody.
func activityOf(product, conversation, user string, at int64) *Activity {
	a := &Activity{
		Workspace: []byte("w"), Product: []byte(product), ExternalConversationID: []byte(conversation), ExternalUserID: bytesOrNil(user), At: at,
		Properties: []byte("{}"), ReceivedAt: origin.ReceivedAt, Version: Version(origin.ReceivedAt), ConversationID: identity.ConversationID([]byte(product), []byte(conversation)),
	}
	if user != "" {
		a.UserID, a.HasUser = identity.UserID(a.Workspace, a.ExternalUserID), true
	}
	return a
}

// testWriter is who writes activities.
const testWriter = 42

func writeActivities(t *testing.T, l *Lookup, list ...*Activity) {
	t.Helper()
	b := NewActivities(testWriter)
	for _, a := range list {
		b.Append(a)
	}
	insertRows(t, l, b)
}

func userOf(product, user string) ProductUser {
	return ProductUser{product, identity.UserID([]byte("w"), []byte(user))}
}

func TestKnownConversations_And_ActivitiesIn(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	known, err := l.KnownConversations(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, known)
	some, err := l.ProductsWithActivity(t.Context(), []string{"p"})
	require.NoError(t, err)
	require.Empty(t, some)

	writeActivities(t, l, activityOf("p", "c", "u", 1000), activityOf("p", "c", "u", 2000), activityOf("p", "d", "", 1500), activityOf("q", "e", "u", 1000), activityOf("p", "f", "v", 3001))
	for _, text := range evil {
		writeActivities(t, l, activityOf(text, text, text, 1))
		known, err := l.KnownConversations(t.Context(), []ConversationName{{text, text}, {text, "c"}, {"p", text}})
		require.NoError(t, err)
		require.Equal(t, []ConversationName{{text, text}}, known)
		found, err := l.ActivitiesIn(t.Context(), moments(1, userOf(text, text)), 0, 1)
		require.NoError(t, err)
		require.Equal(t, map[ProductUser]identity.Activities{userOf(text, text): {{At: 1, Conversation: identity.ConversationID([]byte(text), []byte(text))}}}, found)
	}
	known, err = l.KnownConversations(t.Context(), []ConversationName{{"p", "c"}, {"q", "c"}, {"p", "e"}, {"q", "e"}, {"", ""}})
	require.NoError(t, err)
	require.ElementsMatch(t, []ConversationName{{"p", "c"}, {"q", "e"}}, known)
	some, err = l.ProductsWithActivity(t.Context(), []string{"p", "q", "r"})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"p", "q"}, some)

	of := func(from, to int64, wanted ...ProductUser) map[ProductUser]identity.Activities {
		found, err := l.ActivitiesIn(t.Context(), moments(2000, wanted...), from, to)
		require.NoError(t, err)
		return found
	}
	c := identity.ConversationID([]byte("p"), []byte("c"))
	require.Equal(t, map[ProductUser]identity.Activities{userOf("p", "u"): {{At: 1000, Conversation: c}, {At: 2000, Conversation: c}}}, of(1000, 2000, userOf("p", "u"), userOf("p", "v"), userOf("p", "nobody")), "both ends")
	require.Empty(t, of(1001, 1999, userOf("p", "u")))
	require.Len(t, of(math.MinInt64, math.MaxInt64, userOf("p", "v"), userOf("q", "u")), 2, "times that no DateTime64 holds")
}

func moments(at int64, users ...ProductUser) map[TimeBucket]struct{} {
	set := map[TimeBucket]struct{}{}
	for _, u := range users {
		for _, m := range LookBackBuckets(u, at) {
			set[m] = struct{}{}
		}
	}
	return set
}

// The look-back from any time lies in its two moments, before 1970 too.
func TestLookBackBuckets_CoverWindow(t *testing.T) {
	const length = int64(15 * 60 * 1000)
	for _, at := range []int64{0, 1, -1, length, length - 1, -length, -length - 1, 1779105600_123, earliestTime} {
		m := LookBackBuckets(ProductUser{}, at)
		require.Equal(t, m[0].number+1, m[1].number)
		require.LessOrEqual(t, m[0].number*length, at-length)
		require.LessOrEqual(t, m[1].number*length, at)
		require.Greater(t, (m[1].number+1)*length, at)
	}
}

func TestActivitiesSince(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	writeActivities(t, l, activityOf("p", "c", "u", 1000), activityOf("p", "d", "", 1500), activityOf("q", "e", "u", 1000))
	future := time.Now().Add(time.Hour)
	list, _, err := l.ActivitiesSince(t.Context(), []string{"p"}, ChangeFilter{Until: future})
	require.NoError(t, err)
	version := Version(origin.ReceivedAt)
	require.ElementsMatch(t, []StoredActivity{
		{
			Workspace: "w", Product: "p", Conversation: "c", At: 1000, Version: version,
			ExternalUserID: "u", UserID: userOf("p", "u").User,
		},
		{Workspace: "w", Product: "p", Conversation: "d", At: 1500, Version: version},
	}, list)
	list, _, err = l.ActivitiesSince(t.Context(), []string{"p"}, ChangeFilter{Until: future, ExceptWriter: testWriter})
	require.NoError(t, err)
	require.Empty(t, list)
	list, _, err = l.ActivitiesSince(t.Context(), []string{"p"}, ChangeFilter{Until: future, ExceptWriter: testWriter + 1})
	require.NoError(t, err)
	require.Len(t, list, 2)
	list, _, err = l.ActivitiesSince(t.Context(), []string{"p", "q"}, ChangeFilter{After: future, Until: future.Add(time.Hour)})
	require.NoError(t, err)
	require.Empty(t, list)
	list, _, err = l.ActivitiesSince(t.Context(), nil, ChangeFilter{Until: future})
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestProductsAndProgress(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	products, err := l.Products(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, products)
	b := NewProducts()
	b.Append([]byte("w"), []byte("p"), 0)
	b.Append([]byte("w"), []byte("o'neil\x00"), -1)
	b.Append([]byte("w"), []byte("o'neil\x00"), 7)
	b.Append([]byte("v"), []byte("q"), 7)
	b.Append([]byte("v"), []byte("q"), 0)
	insertRows(t, l, b)
	insertRows(t, l, b)
	v, w := []ProductPartition{{"v", "q", 0}, {"v", "q", 7}}, []ProductPartition{{"w", "p", 0}, {"w", "o'neil\x00", -1}, {"w", "o'neil\x00", 7}}
	for workspaces, want := range map[string][]ProductPartition{"": append(v, w...), "v": v, "x": nil, "x w": w} {
		products, err := l.Products(t.Context(), strings.Fields(workspaces))
		require.NoError(t, err)
		require.ElementsMatch(t, want, products)
	}
	spread, err := l.SaltedProducts(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, v, spread)
	progress, err := l.Progress(t.Context(), "g")
	require.NoError(t, err)
	require.Empty(t, progress)
	at := time.Date(2026, 5, 18, 12, 0, 0, 123456000, time.UTC)
	require.NoError(t, l.SaveProgress(t.Context(), "g", []int32{0, 7}, at))
	require.NoError(t, l.SaveProgress(t.Context(), "g", []int32{7}, at.Add(-time.Hour)), "what was done stays done")
	require.NoError(t, l.SaveProgress(t.Context(), "g'", []int32{7}, at.Add(time.Hour)), "another group's")
	require.NoError(t, l.SaveProgress(t.Context(), "g", nil, at))
	progress, err = l.Progress(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, map[int32]time.Time{0: at, 7: at}, progress)
}

// Claims written together, more than are read at once: all that have one time come at once, and none twice or never.
func TestChangesSince_ManyClaims_PagesKeepEqualTimesTogether(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	const together, moments = changesPage/2 + 1, 4
	db.Exec(t, fmt.Sprintf(`INSERT INTO user_claims (workspace_id, external_user_id, user_id, explicit_first, event_first, name_first, writer, written_at)
		SELECT 'w', toString(number), toUUID('00000000-0000-0000-0000-000000000001'), (1, ''), (%[1]d, ''), (%[1]d, ''), 5, toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(intDiv(number, %[2]d)) FROM numbers(%[3]d)`,
		int64(never), together, together*moments))
	writeClaims(t, l, 5, claimed("w", "now", "", 1, never)) // has not settled
	seen, after := map[string]bool{}, time.Time{}
	for _, page := range []int{2 * together, 2 * together, 0} {
		learnt, err := l.ChangesSince(t.Context(), ChangeFilter{After: after, Until: settled(t, l)})
		require.NoError(t, err)
		require.Len(t, learnt.Claims, page)
		for _, c := range learnt.Claims {
			require.False(t, seen[string(c.ExternalID)])
			seen[string(c.ExternalID)] = true
		}
		require.True(t, learnt.ReadTo.After(after))
		after = learnt.ReadTo
	}
	require.Len(t, seen, together*moments)
	require.False(t, seen["now"])
	learnt, err := l.ChangesSince(t.Context(), ChangeFilter{Until: settled(t, l), ExceptWriter: 5})
	require.NoError(t, err)
	require.Empty(t, learnt.Claims, "one's own")
	learnt, err = l.ChangesSince(t.Context(), ChangeFilter{Until: settled(t, l), ExceptWriter: 6})
	require.NoError(t, err)
	require.Equal(t, int64(1), learnt.Claims[0].Explicit.At)
	require.Nil(t, learnt.Claims[0].Email)
	require.WithinDuration(t, time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC), learnt.ReadTo, 0)
}

func settled(t *testing.T, l *Lookup) time.Time {
	t.Helper()
	at, err := l.SafeTime(t.Context())
	require.NoError(t, err)
	return at
}

func TestUsersOfAddresses(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	holders, err := l.UsersOfAddresses(t.Context(), []identity.Name{name("w", "x@x")})
	require.NoError(t, err)
	require.Empty(t, holders)
	writeClaims(t, l, 1, claimed("w", "a", "x@x", never, 1), claimed("w", "b", "x@x", 9, never), claimed("w", "", "x@x", 0, 0), claimed("w", "c", "y@x", 1, 1), claimed("v", "d", "x@x", 1, 1))
	holders, err = l.UsersOfAddresses(t.Context(), []identity.Name{name("w", "x@x")})
	require.NoError(t, err)
	require.Len(t, holders, 1)
	require.ElementsMatch(t, []identity.ID{userOf("", "b").User, userOf("", "a").User, identity.AddressID([]byte("w"), []byte("x@x"))}, holders["w"])
}

// another is an external id or an address that stands for somebody whose no row is.
func another(workspace, text string) ExpectedUser {
	return ExpectedUser{name(workspace, text), identity.ID{15: 1}}
}

// told are the events of these tests by insert id.
func told(t *testing.T, l *Lookup, a *AffectedRows) map[string]StoredEvent {
	t.Helper()
	got := map[string]StoredEvent{}
	require.NoError(t, l.AffectedEvents(t.Context(), a, func(list []StoredEvent) error {
		for _, s := range list {
			got[s.InsertID] = s
		}
		return nil
	}))
	return got
}

func storeEvents(t *testing.T, config Config, token string, events ...mapping.Event) {
	t.Helper()
	b := NewEvents()
	for i := range events {
		b.Append(&events[i], &origin)
	}
	insert(t, config, b, token)
}

func eventOf(id, user, email, conversation string, at int64) mapping.Event {
	e := plain
	e.InsertID, e.EventAt = []byte(id), at
	e.ExternalUserID, e.UserEmail, e.ExternalConversationID = bytesOrNil(user), bytesOrNil(email), bytesOrNil(conversation)
	return e
}

func TestAffectedEvents_EachCondition_SelectsRows(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	edge := eventOf("without a time", "", "", "", 5000)
	edge.EventAtSource = mapping.FromEdge
	storeEvents(t, config, "t", eventOf("id", "o'neil\x00", "", "", 1000), eventOf("address", "", "ÄÖ@X.io", "", 1000), eventOf("conversation", "", "", "c'", 1000),
		eventOf("nothing", "", "", "", 1000), eventOf("user", "z", "", "", 5000), edge)
	u, talk := userOf("p", "z"), ProductConversation{"p", identity.ConversationID([]byte("p"), []byte("c"))}
	followed := eventOf("followed", "", "", "", 1000)
	storeEvents(t, config, "followed", followed)
	db.Exec(t, "INSERT INTO events SELECT * REPLACE ('"+talk.ID.String()+"' AS conversation_id, version + 1 AS version) FROM events WHERE insert_id = 'followed'")
	db.Exec(t, "INSERT INTO events SELECT * REPLACE ('"+u.User.String()+"' AS user_id, version + 1 AS version) FROM events WHERE insert_id IN ('user', 'without a time')")

	p := []string{"p"}
	for what, c := range map[string]struct {
		affected AffectedRows
		want     []string
	}{
		"nothing":                        {AffectedRows{Products: p}, nil},
		"an external id":                 {AffectedRows{Products: p, ExternalIDs: []ExpectedUser{another("w", "o'neil\x00"), another("w", "x")}}, []string{"id"}},
		"of another workspace":           {AffectedRows{Products: p, ExternalIDs: []ExpectedUser{another("v", "o'neil\x00")}}, nil},
		"of another product":             {AffectedRows{Products: []string{"q"}, ExternalIDs: []ExpectedUser{another("w", "o'neil\x00")}}, nil},
		"an address":                     {AffectedRows{Products: p, Addresses: []ExpectedUser{another("w", "äö@x.io")}}, []string{"address"}},
		"an external id, whose they are": {AffectedRows{Products: p, ExternalIDs: []ExpectedUser{{name("w", "o'neil\x00"), identity.ID{}}}}, nil},
		"letters of two cases, anyway":   {AffectedRows{Products: p, Addresses: []ExpectedUser{{name("w", "äö@x.io"), identity.ID{}}}}, []string{"address"}},
		"nobody, whose they are not":     {AffectedRows{Products: p, ExternalIDs: []ExpectedUser{{name("w", "z"), identity.ID{}}}}, []string{"user"}},
		"a user":                         {AffectedRows{Products: p, Users: []identity.ID{u.User}}, []string{"user", "without a time"}},
		"a conversation":                 {AffectedRows{Products: p, Conversations: []ConversationName{{"p", "c'"}, {"q", "x"}}}, []string{"conversation"}},
		"a span, both ends":              {AffectedRows{Products: p, UserSpans: map[ProductUser][2]int64{u: {5000, 5000}}}, []string{"user", "without a time"}},
		"a span before":                  {AffectedRows{Products: p, UserSpans: map[ProductUser][2]int64{u: {0, 4999}}}, nil},
		"a span behind":                  {AffectedRows{Products: p, UserSpans: map[ProductUser][2]int64{u: {5001, 9999}}}, nil},
		"a span that is no day":          {AffectedRows{Products: p, UserSpans: map[ProductUser][2]int64{u: {math.MinInt64, math.MaxInt64}}}, []string{"user", "without a time"}},
		"nobody's span":                  {AffectedRows{Products: p, UserSpans: map[ProductUser][2]int64{{"p", identity.UserID([]byte("w"), []byte("x"))}: {0, 9999}}}, nil},
		"of another partition":           {AffectedRows{Products: p, Partitions: PartitionFilter{[]int32{0, 2}, 5}, Users: []identity.ID{u.User}}, nil},
		"of the partition":               {AffectedRows{Products: p, Partitions: PartitionFilter{[]int32{1, 3}, 5}, Users: []identity.ID{u.User}}, []string{"user", "without a time"}},
		"of a topic that had more":       {AffectedRows{Products: p, Partitions: PartitionFilter{[]int32{1}, 2}, Users: []identity.ID{u.User}}, []string{"user", "without a time"}},
		"followed from a conversation":   {AffectedRows{Products: p, ConversationSpans: map[ProductConversation]Span{talk: {1000, 1000}}}, []string{"followed"}},
		"long after it":                  {AffectedRows{Products: p, ConversationSpans: map[ProductConversation]Span{talk: {0, 999}}}, nil},
		"all":                            {AffectedRows{Products: p, ExternalIDs: []ExpectedUser{another("w", "o'neil\x00")}, Addresses: []ExpectedUser{another("w", "äö@x.io")}, Users: []identity.ID{u.User}}, []string{"address", "id", "user", "without a time"}},
	} {
		got := told(t, l, &c.affected)
		var ids []string
		for id := range got {
			ids = append(ids, id)
		}
		require.ElementsMatch(t, c.want, ids, what)
	}
	got := told(t, l, &AffectedRows{Products: p, Users: []identity.ID{u.User}})
	require.Equal(t, StoredEvent{Workspace: "w", Product: "p", InsertID: "user", KeyAt: 5000, EventAt: 5000, Version: Version(origin.ReceivedAt) + 1, ExternalUserID: "z", UserID: u.User, Partition: 3}, got["user"])
	require.Equal(t, StoredEvent{Workspace: "w", Product: "p", InsertID: "without a time", EventAt: 5000, Version: Version(origin.ReceivedAt) + 1, UserID: u.User, Partition: 3}, got["without a time"])
}

const eventsUsers = "SELECT insert_id, ifNull(toString(user_id), '-'), ifNull(toString(conversation_id), '-'), properties FROM outcomes ORDER BY insert_id"

func TestReviseEvents_KeepsOtherColumns(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	e := full
	e.InsertID, e.EventAtSource = []byte("o'neil\x00"), mapping.FromTimestamp
	storeEvents(t, config, "t", e, eventOf("plain", "u", "", "", 1000))
	const rest = "SELECT * EXCEPT (user_id, conversation_id, version) FROM events FINAL ORDER BY insert_id"
	before := db.Exec(t, rest)
	all := func() []StoredEvent {
		var list []StoredEvent
		require.NoError(t, l.AffectedEvents(t.Context(), &AffectedRows{Products: []string{"p"}, ExternalIDs: []ExpectedUser{another("w", "u")}}, func(found []StoredEvent) error {
			list = append(list, found...)
			return nil
		}))
		require.Len(t, list, 2)
		return list
	}
	first, second, talk := userOf("p", "1").User, userOf("p", "2").User, identity.ConversationID([]byte("p"), []byte("c"))
	stale := all()
	for n, user := range []identity.ID{first, second, {}} {
		list := all()
		for i := range list {
			list[i].UserID, list[i].ConversationID = user, identity.ID{}
			if n == 1 {
				list[i].ConversationID = talk
			}
		}
		require.NoError(t, l.ReviseEvents(t.Context(), list, leased(t, l)))
		for _, s := range all() {
			require.Equal(t, user, s.UserID)
			require.Equal(t, list[0].ConversationID, s.ConversationID)
			require.Equal(t, Version(origin.ReceivedAt)+uint64(n+1)<<versionBits, s.Version)
		}
	}
	require.Equal(t, before, db.Exec(t, rest))
	require.Contains(t, db.Exec(t, eventsUsers), "plain\t-\t-\t{}", "nobody is null")
	for i := range stale {
		stale[i].UserID = first
	}
	require.NoError(t, l.ReviseEvents(t.Context(), stale, leased(t, l)))
	for _, s := range all() {
		require.Zero(t, s.UserID, "a row that was replaced meanwhile stays")
	}
	require.NoError(t, l.ReviseEvents(t.Context(), nil, leased(t, l)))
	require.NoError(t, l.ReviseEvents(t.Context(), []StoredEvent{{Product: "p", InsertID: "not there", Version: 5, UserID: first}}, leased(t, l)))
	require.Equal(t, before, db.Exec(t, rest))
}

func leased(t *testing.T, l *Lookup) Lease {
	t.Helper()
	lease, err := l.AcquireLease(t.Context())
	require.NoError(t, err)
	return lease
}

// Who was held up for long between making sure that he may and revising has not revised anything.
func TestReviseEvents_ExpiredLease_Fails(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	storeEvents(t, config, "t", eventOf("e", "u", "", "", 1000))
	writeActivities(t, l, activityOf("p", "c", "u", 1000))
	version := Version(origin.ReceivedAt)
	lease := leased(t, l)
	out := Lease(time.Time(lease).Add(-l.leaseDuration() - time.Millisecond))
	row := StoredEvent{Product: "p", KeyAt: 1000, InsertID: "e", Version: version, UserID: userOf("p", "v").User}
	require.ErrorContains(t, l.ReviseEvents(t.Context(), []StoredEvent{row}, out), "lease")
	require.ErrorContains(t, l.ReviseActivities(t.Context(), []StoredActivity{{Product: "p", Conversation: "c", At: 1000, ExternalUserID: "u", Version: version, UserID: row.UserID}}, out, testWriter), "lease")
	require.Equal(t, "1\t1", db.Exec(t, "SELECT (SELECT count() FROM events), (SELECT count() FROM conversation_activity)"))
	require.NoError(t, l.ReviseEvents(t.Context(), []StoredEvent{row}, lease), "the control")
	require.Equal(t, row.UserID.String(), db.Exec(t, "SELECT user_id FROM events FINAL"))

	start := time.Time(lease).Add(-l.leaseDuration())
	require.True(t, isLeased(t, l, start))
	require.False(t, isLeased(t, l, start.Add(-l.leaseDuration()-time.Minute)))
}

// One that has begun counts until it has ended, however long it takes.
func TestLeaseMayBeActive_RunningRevision_IsTrue(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	id := revisionPrefix + db.Name
	slow := "SELECT sleepEachRow(1) FROM numbers(300) SETTINGS max_block_size = 1"
	done := make(chan struct{})
	go func() {
		defer close(done)
		response, err := http.Post(db.HTTPURL()+"/?query_id="+id, "text/plain", strings.NewReader(slow))
		if err == nil {
			response.Body.Close()
		}
	}()
	running := "SELECT count() FROM system.processes WHERE query_id = '" + id + "'"
	for db.Exec(t, running) == "0" {
		time.Sleep(10 * time.Millisecond)
	}
	now := time.Time(leased(t, l)).Add(-l.leaseDuration())
	require.True(t, isLeased(t, l, now.Add(-l.leaseDuration())), "it began under the lease")
	require.False(t, isLeased(t, l, now.Add(-time.Hour)), "it began after that one had run out")
	db.Exec(t, "KILL QUERY WHERE query_id = '"+id+"' SYNC")
	<-done
	require.False(t, isLeased(t, l, now.Add(-l.leaseDuration())))
}

func isLeased(t *testing.T, l *Lookup, before time.Time) bool {
	t.Helper()
	leased, err := l.LeaseMayBeActive(t.Context(), before)
	require.NoError(t, err)
	return leased
}

func TestReviseEvents_HighestRevision_DoesNotOverflow(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	storeEvents(t, config, "t", eventOf("e", "u", "", "", 1000))
	const top = math.MaxUint64 - 1<<versionBits + 1 // the least that no revision can be added to
	db.Exec(t, fmt.Sprintf("INSERT INTO events SELECT * REPLACE (%d AS version) FROM events", uint64(top-1)))
	version := uint64(top - 1)
	for n, want := range []uint64{math.MaxUint64, math.MaxUint64, math.MaxUint64} {
		user := userOf("p", fmt.Sprint(n)).User
		require.NoError(t, l.ReviseEvents(t.Context(), []StoredEvent{{Product: "p", KeyAt: 1000, InsertID: "e", Version: version, UserID: user}}, leased(t, l)))
		require.Equal(t, fmt.Sprintf("%s\t%d", user, want), db.Exec(t, "SELECT user_id, version FROM events FINAL"), "the last is the one that counts")
		version = want
	}
	db.Exec(t, "OPTIMIZE TABLE events FINAL")
	require.Equal(t, userOf("p", "2").User.String(), db.Exec(t, "SELECT user_id FROM events"))
}

func TestReviseActivities_AffectedRows_GetUser(t *testing.T) {
	db, config := migrated(t)
	l := lookup(t, config)
	byAddress := activityOf("p", "c'\x00", "", 2000)
	byAddress.Email, byAddress.Partition = []byte("a@x"), 7
	writeActivities(t, l, activityOf("p", "c", "u", 1000), byAddress, activityOf("p", "d", "", 3000), activityOf("q", "e", "u", 1000))
	find := func(a AffectedRows) (list []StoredActivity) {
		require.NoError(t, l.AffectedActivities(t.Context(), &a, func(found []StoredActivity) error {
			list = append(list, found...)
			return nil
		}))
		return list
	}
	p := []string{"p"}
	require.Empty(t, find(AffectedRows{Products: p}))
	require.Empty(t, find(AffectedRows{Products: p, Users: []identity.ID{userOf("p", "x").User}}))
	require.Empty(t, find(AffectedRows{Products: p, ExternalIDs: []ExpectedUser{another("v", "u")}}))
	u := find(AffectedRows{Products: p, ExternalIDs: []ExpectedUser{another("w", "u")}})
	require.Equal(t, []StoredActivity{{Workspace: "w", Product: "p", Conversation: "c", At: 1000, Version: Version(origin.ReceivedAt), ExternalUserID: "u", UserID: userOf("p", "u").User}}, u)
	require.Equal(t, u, find(AffectedRows{Products: p, Users: []identity.ID{userOf("p", "u").User}}))
	require.Empty(t, find(AffectedRows{Products: p, ExternalIDs: []ExpectedUser{{name("w", "u"), userOf("p", "u").User}}}), "it is his already")
	byMail := AffectedRows{Products: p, Addresses: []ExpectedUser{another("w", "a@x")}}
	stale := find(byMail)
	for n, user := range []identity.ID{userOf("p", "1").User, {}} {
		list := find(byMail)
		require.Len(t, list, 1)
		list[0].UserID = user
		require.NoError(t, l.ReviseActivities(t.Context(), list, leased(t, l), testWriter+1))
		revised := find(byMail)
		list[0].Version = Version(origin.ReceivedAt) + uint64(n+1)<<versionBits
		require.Equal(t, list, revised)
	}
	stale[0].UserID = userOf("p", "1").User
	require.NoError(t, l.ReviseActivities(t.Context(), stale, leased(t, l), testWriter))
	require.Zero(t, find(byMail)[0].UserID, "one that was replaced meanwhile stays")
	require.NoError(t, l.ReviseActivities(t.Context(), nil, leased(t, l), testWriter))
	require.Equal(t, "4", db.Exec(t, "SELECT count() FROM conversation_activity FINAL"))
	require.Equal(t, "7\t43", db.Exec(t, "SELECT kafka_partition, writer FROM conversation_activity FINAL WHERE email = 'a@x'"), "where it came from stays, and who wrote it last")
	require.Equal(t, "1", db.Exec(t, "SELECT count() FROM conversation_activity FINAL WHERE email = 'a@x' AND properties = '{}' AND user_id IS NULL"))
}

func TestAllClaims_PassesEachClaim(t *testing.T) {
	_, config := migrated(t)
	l := lookup(t, config)
	type passed struct{ addresses, persons []identity.Claim }
	read := func(most int) (fit bool, p passed) {
		take := func(into *[]identity.Claim) func([]identity.Claim) {
			return func(claims []identity.Claim) {
				for _, c := range claims {
					c.Workspace, c.ExternalID, c.Email = bytes.Clone(c.Workspace), bytes.Clone(c.ExternalID), bytes.Clone(c.Email)
					*into = append(*into, c)
				}
			}
		}
		fit, err := l.AllClaims(t.Context(), most, take(&p.addresses), take(&p.persons))
		require.NoError(t, err)
		return fit, p
	}
	fit, p := read(0)
	require.True(t, fit, "of nobody")
	require.Empty(t, p)
	var both, alone []identity.Claim
	for i, text := range evil {
		named := claimed("w", text, text+"@x", never, 5)
		named.FirstName = identity.Timestamped{At: 7, Text: []byte{}}
		both = append(both, named)
		alone = append(alone, claimed("w", "", text+"@x", never, int64(i)))
	}
	nameless := claimed("v", "u", "", 3, never)
	writeClaims(t, l, 1, both...)
	writeClaims(t, l, 2, append(alone, nameless)...)
	rows := len(both) + len(alone) + 1
	fit, p = read(rows)
	require.True(t, fit)
	require.ElementsMatch(t, append(slices.Clone(both), alone...), p.addresses)
	require.ElementsMatch(t, append(slices.Clone(both), nameless), p.persons)
	fit, p = read(rows - 1)
	require.False(t, fit, "more rows than may be")
	require.Empty(t, p)
}
