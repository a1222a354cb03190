//go:build linux

package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartitions_CapacityPage_HasBothTables(t *testing.T) {
	page, err := os.ReadFile("../../docs/capacity.md")
	require.NoError(t, err)
	for _, write := range []func(io.Writer){writeExponentTable, writeSaltTable} {
		var table strings.Builder
		write(&table)
		require.Contains(t, string(page), "\n\n"+table.String()+"\n",
			"copy the output of bin/compare partitions into docs/capacity.md")
	}
}

func TestBusiestShare(t *testing.T) {
	require.InDelta(t, .5, busiestShare([]float64{.5, .5, 0}, 4096, 0, 1), 1e-9, "no shared partition")
	require.InDelta(t, 1, busiestShare([]float64{.5, .5, 0}, 1, 0, 1), 1e-9, "a single partition")
	require.InDelta(t, .25, busiestShare([]float64{1, 0}, 64, 1, 4), 1e-9)
	require.InDelta(t, .125, busiestShare([]float64{1, 0}, 8, 1, 64), 1e-9, "at most all partitions")
	shares := zipfShares(3, 1)
	require.InDelta(t, 6./11, shares[0], 1e-9)
	require.InDelta(t, 2./11, shares[2], 1e-9)
}
