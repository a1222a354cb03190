package warehouse

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/pkg/mapping"
)

// The names of enumerations, by their numbers from 1 on. A test holds them to the tables.
var (
	messageTypes = []fmt.Stringer{mapping.Track, mapping.Page, mapping.Screen, mapping.API}
	timeSources  = []fmt.Stringer{mapping.FromTimestamp, mapping.FromOriginalTimestamp, mapping.FromSentAt, mapping.FromReceivedAt, mapping.FromEdge, mapping.FromEventAt}
	influences   = []fmt.Stringer{mapping.Negative, mapping.Neutral, mapping.Positive}
	valueTypes   = []fmt.Stringer{mapping.Currency, mapping.Numeric, mapping.Text, mapping.Boolean}
)

// enumType writes the type as ClickHouse does.
func enumType(names []fmt.Stringer) string {
	var items []string
	for i, name := range names {
		items = append(items, fmt.Sprintf("'%s' = %d", name, i+1))
	}
	return "Enum8(" + strings.Join(items, ", ") + ")"
}
