package consoletest

import "testing"

// What the browser is shown is what the real program did.
func TestMillraceAnswersInTheBrowser(t *testing.T) {
	m := startMillrace(t)
	p := open(t, m.Admin+"/metrics")
	p.sees("millrace_edge_messages_accepted_total 0")
	if status := post(t, m.SegmentURL, `{"type":"track","event":"Order Completed","userId":"u1","messageId":"m1"}`); status != 200 {
		t.Fatalf("the edge answers %d", status)
	}
	p.visit(m.Admin + "/metrics")
	p.sees("millrace_edge_messages_accepted_total 1")
}
