package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// dashboard is the tested part of a dashboard.
type dashboard struct {
	UID    string `json:"uid"`
	Title  string `json:"title"`
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ X, Y, W, H int }
		Targets []struct {
			RefID      string `json:"refId"`
			Expr       string `json:"expr"`
			RawSQL     string `json:"rawSql"`
			Datasource struct{ Type, UID string }
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct{ Name, Type, Query string }
	} `json:"templating"`
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "deploy", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.Len(t, paths, 3)
	all := map[string]dashboard{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var d dashboard
		require.NoError(t, json.Unmarshal(content, &d), path)
		all[strings.TrimSuffix(filepath.Base(path), ".json")] = d
	}
	return all
}

// sources are the provisioned data sources, by uid.
func sources(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "deploy", "grafana", "provisioning", "datasources", "millrace.yml"))
	require.NoError(t, err)
	var file struct {
		Datasources []struct{ UID, Type string } `json:"datasources"`
	}
	require.NoError(t, yaml.Unmarshal(content, &file))
	types := map[string]string{}
	for _, source := range file.Datasources {
		types[source.UID] = source.Type
	}
	return types
}

// Every panel queries existing metrics of an existing source. pkg/warehouse tests the SQL of outcomes.json.
func TestDashboards_UseExistingMetrics(t *testing.T) {
	provisioned := sources(t)
	for name, d := range dashboards(t) {
		require.Equal(t, "millrace-"+name, d.UID)
		require.NotEmpty(t, d.Title)
		ids := map[int]bool{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID], "%s: two panels are number %d", name, p.ID)
			ids[p.ID] = true
			require.NotEmpty(t, p.Title)
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, "%s: %s", name, p.Title)
			require.NotEmpty(t, p.Targets, "%s: %s", name, p.Title)
			for _, target := range p.Targets {
				require.Equal(t, provisioned[target.Datasource.UID], target.Datasource.Type, "%s: %s", name, p.Title)
				if target.Datasource.UID == "prometheus" {
					require.NotZero(t, asks(t, interpolated(target.Expr)), "%s: %s", name, p.Title)
				} else {
					require.Contains(t, target.RawSQL, "$__timeFilter", "%s: %s", name, p.Title)
				}
			}
		}
	}
}

// interpolated replaces variables as Grafana does.
func interpolated(expression string) string {
	return strings.NewReplacer("$__rate_interval", "5m").Replace(expression)
}

// Panels that overlap hide each other.
func TestDashboards_Panels_DoNotOverlap(t *testing.T) {
	for name, d := range dashboards(t) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					require.Empty(t, taken[[2]int{x, y}], "%s: %s lies on it", name, p.Title)
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}
