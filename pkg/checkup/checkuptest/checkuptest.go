// Package checkuptest is for tests of what the doctor finds.
package checkuptest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/checkup"
)

// Require looks for a finding.
func Require(t *testing.T, r checkup.Report, check string, status checkup.Status, found, change string) {
	t.Helper()
	for _, f := range r {
		if f.Check == check && f.Status == status && strings.Contains(f.Found, found) && strings.Contains(f.Change, change) {
			return
		}
	}
	require.Fail(t, "no such finding", "%s %s: %s: %s in %v", status, check, found, change, r)
}
