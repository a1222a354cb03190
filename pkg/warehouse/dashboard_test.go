package warehouse

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Grafana's macros and the dashboard's variable, as they are put in for a week of the known data. The last of the variable's values
// is what a product may well be called.
var macros = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\$__timeFilter\((\w+)\)`), `$1 >= toDateTime('2026-05-14 00:00:00') AND $1 <= toDateTime('2026-05-21 00:00:00')`},
	{regexp.MustCompile(`\$__timeInterval\((\w+)\)`), `toStartOfInterval(toDateTime($1), INTERVAL 3600 second)`},
	{regexp.MustCompile(`\$\{product:singlequote\}`), `'shop', 'app'`},
}

// What the dashboard of outcomes asks is understood by the tables that there are, and finds what is known.
func TestDashboard_Queries_RunOnTables(t *testing.T) {
	content, err := os.ReadFile("../../deploy/grafana/dashboards/outcomes.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RawSQL string }
		}
		Templating struct{ List []struct{ Query string } }
	}
	require.NoError(t, json.Unmarshal(content, &dashboard))
	db := known(t)
	answers := map[string]string{}
	for _, p := range dashboard.Panels {
		sql := p.Targets[0].RawSQL
		for _, m := range macros {
			sql = m.pattern.ReplaceAllString(sql, m.with)
		}
		require.NotContains(t, sql, "$")
		answers[p.Title] = db.Exec(t, sql)
	}
	require.Equal(t, "5", answers["Outcomes"])
	require.Equal(t, "0.8", answers["Positive"])
	require.Len(t, strings.Split(answers["Products"], "\n"), 2)
	for title, answer := range answers {
		if !strings.Contains(title, "ead letters") { // of which there are none
			require.NotEmpty(t, answer, title)
		}
	}
	require.Len(t, dashboard.Templating.List, 1)
	db.Exec(t, dashboard.Templating.List[0].Query)
}
