package traffic

// shape is the content of a message's properties.
type shape int

const (
	plain   shape = iota // a plan and a place
	viewed               // one product
	order                // revenue and a list of products
	money                // an amount alone
	feature              // a few settings of software
	page                 // a page call
	identify
	group
)

// kind is a kind of message, with its frequency in a thousand.
type kind struct {
	weight int
	typ    string
	name   string
	shape  shape
	server bool // sent by a server: no page, no agent
}

var kinds = []kind{
	{220, "track", "Product Viewed", viewed, false},
	{130, "page", "Pricing", page, false},
	{90, "track", "Product Added", viewed, false},
	{100, "track", "Feature Used", feature, false},
	{80, "track", "Message Sent", plain, true},
	{70, "track", "Search Performed", feature, false},
	{60, "track", "Checkout Started", order, false},
	{55, "track", "Order Completed", order, true},
	{30, "track", "Email Opened", plain, true},
	{30, "track", "Trial Started", plain, false},
	{25, "track", "Signed Up", plain, false},
	{15, "track", "Plan Upgraded", money, true},
	{10, "track", "Payment Failed", money, true},
	{8, "track", "Order Refunded", money, true},
	{7, "track", "Subscription Cancelled", plain, true},
	{55, "identify", "", identify, false},
	{15, "group", "", group, false},
}

// ofThousand is the index of a kind for each of a thousand random numbers.
var ofThousand = func() (draws [1000]uint8) {
	n := 0
	for i, k := range kinds {
		for range k.weight {
			draws[n] = uint8(i)
			n++
		}
	}
	if n != len(draws) {
		panic("BUG: the sum of the kinds' weights is not a thousand")
	}
	return draws
}()

var (
	agents = []string{
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
	}
	pages = []string{
		"/",
		"/pricing",
		"/checkout",
		"/docs/getting-started",
		"/products/wireless-headphones",
		"/settings/team/members",
	}
	titles     = []string{"Home", "Pricing", "Checkout", "Getting started", "Wireless headphones – the shop", "Members"}
	plans      = []string{"free", "pro", "team", "enterprise"}
	currencies = []string{"USD", "USD", "USD", "EUR", "GBP"}
	goods      = []string{"Wireless Headphones", "USB-C Cable 2 m", "Standing Desk", "Café Crème 1 kg", "Notebook A5"}
	firstNames = []string{"Grace", "Alan", "Ada", "Edsger", "Barbara", "Zoë", "Linus", "Radia"}
	lastNames  = []string{"Hopper", "Turing", "Lovelace", "Dijkstra", "Liskov", "Müller", "Perlman", "Knuth"}
)
