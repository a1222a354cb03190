package consoletest

import "testing"

func TestMillraceAnswersInTheBrowser(t *testing.T) {
	m := startMillrace(t)
	p := open(t, m.Admin+"/metrics")
	p.sees("millrace_edge_")
}
