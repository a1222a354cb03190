package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// finding is a rule of axe-core's that a page breaks.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

func (f finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", f.ID, f.Impact, f.Help)
	for _, node := range f.Nodes {
		fmt.Fprintf(&b, "\n  %s\n    %s", node.HTML, strings.ReplaceAll(node.FailureSummary, "\n", "\n    "))
	}
	return b.String()
}

// barriers are what axe-core finds serious or critical on the page as it is now.
func (p *page) barriers() []finding {
	p.t.Helper()
	if evaluate[string](p, `typeof axe`) == "undefined" {
		packages, err := npmPackages()
		require.NoError(p.t, err)
		script, err := os.ReadFile(filepath.Join(packages, "axe-core", "axe.min.js"))
		require.NoError(p.t, err)
		evaluate[chromedp.Void](p, string(script)+";0")
	}
	// Nothing is preloaded: it would be fetched by scripts, and a page's policy may forbid that.
	return evaluate[[]finding](p, `axe.run(document, {resultTypes: ["violations"], preload: false}).then(r => r.violations.filter(v =>
		v.impact === "serious" || v.impact === "critical").map(v => ({id: v.id, impact: v.impact, help: v.help,
			nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))})))`)
}
