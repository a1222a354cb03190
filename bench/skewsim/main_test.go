package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page has what the program prints.
func TestThePageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/capacity.md")
	require.NoError(t, err)
	for _, make := range []func(*strings.Builder){func(b *strings.Builder) { byExponent(b) }, func(b *strings.Builder) { bySalts(b) }} {
		var table strings.Builder
		make(&table)
		require.Contains(t, string(page), "\n\n"+table.String()+"\n", "copy the output of go run ./bench/skewsim into docs/capacity.md")
	}
}

func TestBusiest(t *testing.T) {
	require.InDelta(t, .5, busiest([]float64{.5, .5, 0}, 4096, 0, 1), 1e-9, "they meet nowhere")
	require.InDelta(t, 1, busiest([]float64{.5, .5, 0}, 1, 0, 1), 1e-9, "there is but one")
	require.InDelta(t, .25, busiest([]float64{1, 0}, 64, 1, 4), 1e-9)
	require.InDelta(t, .125, busiest([]float64{1, 0}, 8, 1, 64), 1e-9, "no more than there are partitions")
	shares := zipf(3, 1)
	require.InDelta(t, 6./11, shares[0], 1e-9)
	require.InDelta(t, 2./11, shares[2], 1e-9)
}
