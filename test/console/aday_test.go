package console

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kinds are what happens in a shop, with how often out of a hundred times, and what it is worth.
var kinds = []struct {
	name     string
	often    int
	from, to float64
}{
	{"Product Viewed", 34, 0, 0},
	{"Search Used", 18, 0, 0},
	{"Order Completed", 16, 19, 140},
	{"Signed Up", 10, 0, 0},
	{"Plan Upgraded", 7, 29, 99},
	{"Payment Failed", 8, 0, 0},
	{"Order Refunded", 4, -80, -20},
	{"Subscription Cancelled", 3, 0, 0},
}

// event is a message of Segment's.
type event struct {
	Type       string         `json:"type"`
	Event      string         `json:"event,omitempty"`
	UserID     string         `json:"userId"`
	Timestamp  time.Time      `json:"timestamp"`
	Context    map[string]any `json:"context,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
}

const (
	happened = 600 // events of the day
	talks    = 12  // conversations
)

// aDay is what a shop has seen by the evening: its connection, and another that waits.
func aDay(t *testing.T, m *millrace) (shop, desk source) {
	t.Helper()
	desk = m.connect(t, "helpdesk", "Help desk", "")
	app := m.connect(t, "shop", "Mobile app", "")
	require.Equal(t, http.StatusOK, app.post(signedUp))
	shop = m.connect(t, "shop", "Web shop", "The source \"Web, production\" in Segment")
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Now().UTC().Truncate(time.Second)
	var all []event
	for n := range happened {
		e := someEvent(random, now.Add(-time.Duration(float64(23*time.Hour)*busy(random))))
		if n < talks { // soon after somebody talked to the assistant
			e.Timestamp = now.Add(-time.Duration(n) * 100 * time.Minute)
			e.UserID = fmt.Sprintf("user_%d", 100+n)
			at, err := json.Marshal(e.Timestamp.Add(-time.Duration(40+random.IntN(600)) * time.Second))
			require.NoError(t, err)
			shop.tell("conversations", fmt.Sprintf(`{"externalConversationId":"chat-%d","externalUserId":%q,"timestamp":%s}`, 4700+n, e.UserID, at))
		}
		all = append(all, e)
	}
	require.Equal(t, http.StatusOK, shop.post(inJSONOf(all)))
	require.Equal(t, http.StatusOK, shop.post(`[{"type":"track","userId":"user_7"},{"type":"track","userId":"user_8","properties":{"plan":"pro"}},
		{"type":"identify","userId":"user_7"},{"type":"page","name":"Pricing","userId":"user_7"}]`))
	m.await(t, fmt.Sprint(happened+2), "SELECT count() FROM outcomes WHERE product_id = 'shop'")
	m.await(t, "2", "SELECT count() FROM dead_letters WHERE product_id = 'shop'")
	status, _ := send(t, m.Admin+"/console/connections/"+app.id+"/pause", "") // the console asks for dead letters now, and next in a minute
	require.Equal(t, http.StatusOK, status)
	return shop, desk
}

// busy is when something happens, from 0 (now) to 1: more by day than by night.
func busy(random *rand.Rand) float64 {
	return (random.Float64() + random.Float64()) / 2
}

func someEvent(random *rand.Rand, at time.Time) event {
	pick := random.IntN(100)
	kind := kinds[0]
	for _, kind = range kinds {
		if pick -= kind.often; pick < 0 {
			break
		}
	}
	e := event{
		Type: "track", Event: kind.name, UserID: fmt.Sprintf("user_%d", random.IntN(900)), Timestamp: at,
		Context: map[string]any{"groupId": []string{"acme", "globex", "initech"}[random.IntN(3)]}, Properties: map[string]any{"plan": "pro"},
	}
	if kind.from != kind.to {
		e.Properties["revenue"] = float64(int(100*(kind.from+random.Float64()*(kind.to-kind.from)))) / 100
		e.Properties["currency"] = []string{"USD", "USD", "EUR"}[random.IntN(3)]
	}
	return e
}

// moments are what comes while somebody looks.
func moments() string {
	return inJSONOf([]event{
		{Type: "track", Event: "Product Viewed", UserID: "user_322", Timestamp: time.Now(), Properties: map[string]any{"sku": "cup-7"}},
		{Type: "track", UserID: "user_322", Timestamp: time.Now()},
		{Type: "track", Event: "Payment Failed", UserID: "user_51", Timestamp: time.Now(), Context: map[string]any{"traits": map[string]any{"email": "bob@example.com"}, "groupId": "globex"}},
		{
			Type: "track", Event: "Order Completed", UserID: "user_100", Timestamp: time.Now(), Context: map[string]any{"groupId": "acme"},
			Properties: map[string]any{"revenue": 49.0, "currency": "USD", "plan": "pro"},
		},
	})
}
