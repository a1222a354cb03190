package warehouse

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/pkg/outcome"
)

// The names of enumerations, by their numbers from 1 on. A test holds them to the tables.
var (
	messageTypes = []fmt.Stringer{outcome.Track, outcome.Page, outcome.Screen, outcome.Native}
	timeSources  = []fmt.Stringer{outcome.FromTimestamp, outcome.FromOriginalTimestamp, outcome.FromSentAt, outcome.FromReceivedAt, outcome.FromEdge, outcome.FromEventAt}
	influences   = []fmt.Stringer{outcome.Negative, outcome.Neutral, outcome.Positive}
	valueTypes   = []fmt.Stringer{outcome.Currency, outcome.Numeric, outcome.Text, outcome.Boolean}
)

// enumType writes the type as ClickHouse does.
func enumType(names []fmt.Stringer) string {
	var items []string
	for i, name := range names {
		items = append(items, fmt.Sprintf("'%s' = %d", name, i+1))
	}
	return "Enum8(" + strings.Join(items, ", ") + ")"
}
