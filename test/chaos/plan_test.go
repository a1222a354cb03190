//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMakePlan_SameSeed_SamePlan(t *testing.T) {
	kinds := append(processKinds(), brokerKinds()...)
	for seed := range uint64(20) {
		plan := makePlan(seed, 30*time.Minute, kinds)
		require.Greater(t, len(plan), 330, "some faults find their resource in use")
		require.Equal(t, plan, makePlan(seed, 30*time.Minute, kinds))
		seen, brokers := map[string]int{}, time.Duration(-1)
		for _, f := range plan {
			seen[f.kind.name]++
			require.Less(t, f.target, max(f.kind.targets, 1))
			require.True(t, f.lasts >= f.kind.lasts.min && f.lasts <= f.kind.lasts.max)
			if f.kind.resource != kafkaResource {
				continue
			}
			if brokers >= 0 {
				require.GreaterOrEqual(t, f.at-brokers, kafkaGap)
			}
			brokers = f.at
		}
		require.Len(t, seen, len(kinds), "every kind occurs")
		require.Greater(t, len(makePlan(seed, 2*time.Minute, kinds)), 12)
	}
	require.NotEqual(t, makePlan(1, time.Minute, kinds)[0].kind, makePlan(2, time.Minute, kinds)[0].kind)
}

// The outcome of a message depends only on the seed and its number.
func TestMessage_Row_DependsOnSeedAndNumber(t *testing.T) {
	start := time.UnixMilli(1_790_000_000_000)
	c := &connection{"c", "p", "t"}
	seen := map[string]bool{}
	for seq := range 2000 {
		m := messageOf(3, start, seq)
		require.Equal(t, m, messageOf(3, start, seq))
		row := m.row(3, c)
		require.False(t, seen[row])
		seen[row] = true
	}
}
