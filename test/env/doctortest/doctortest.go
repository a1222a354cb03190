// Package doctortest is for tests of what the doctor finds.
package doctortest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/doctor"
)

// Require looks for a finding.
func Require(t *testing.T, r doctor.Report, check string, status doctor.Status, found, change string) {
	t.Helper()
	for _, f := range r {
		if f.Check == check && f.Status == status && strings.Contains(f.Found, found) &&
			strings.Contains(f.Change, change) {
			return
		}
	}
	require.Fail(t, "no such finding", "%s %s: %s: %s in %v", status, check, found, change, r)
}
