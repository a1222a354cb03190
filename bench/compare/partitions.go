//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/millrace/millrace/bench/measure"
	"github.com/millrace/millrace/bench/traffic"
	"github.com/millrace/millrace/pkg/stream"
)

// partitionsCommand computes the share of the busiest partition when some products send far more than others. Its
// output is always the same.
type partitionsCommand struct{}

const (
	zipfProducts = 1000
	nameSets     = 15 // which products share a partition depends on their names: cells are medians of several sets
	saltExponent = 1.2
	saltCount    = 64 // partitions of the second table
)

// Run prints the tables of docs/capacity.md.
func (partitionsCommand) Run() error {
	writeExponentTable(os.Stdout)
	fmt.Println()
	writeSaltTable(os.Stdout)
	return nil
}

// writeExponentTable is for products without salts.
func writeExponentTable(w io.Writer) {
	partitions := []int{8, 16, 32, 64, 128}
	t := measure.Table{Columns: []string{"Zipf's exponent", "the hottest product"}}
	for _, p := range partitions {
		t.Columns = append(t.Columns, fmt.Sprintf("%d partitions", p))
	}
	for _, exponent := range []float64{0, .8, 1, 1.2, 1.5} {
		shares := zipfShares(zipfProducts, exponent)
		cells := []string{oneDigit(exponent), percent(shares[0])}
		for _, p := range partitions {
			cells = append(cells, shareCell(busiestShare(shares, p, 0, 1)))
		}
		t.Rows = append(t.Rows, cells)
	}
	t.Markdown(w)
}

// writeSaltTable is for hottest products with salts.
func writeSaltTable(w io.Writer) {
	hottest := []int{1, 10, 100}
	t := measure.Table{Columns: []string{"`salts`", "of the hottest product"}}
	for _, hot := range hottest[1:] {
		t.Columns = append(t.Columns, fmt.Sprintf("of the %d hottest", hot))
	}
	shares := zipfShares(zipfProducts, saltExponent)
	for _, salts := range []int{1, 2, 4, 8, 16, 32, 64} {
		cells := []string{oneDigit(float64(salts))}
		for _, hot := range hottest {
			cells = append(cells, shareCell(busiestShare(shares, saltCount, hot, salts)))
		}
		t.Rows = append(t.Rows, cells)
	}
	t.Markdown(w)
}

// zipfShares is each product's share of all messages, in descending order: proportional to its rank to the power of
// −exponent.
func zipfShares(n int, exponent float64) []float64 {
	shares, sum := make([]float64, n), 0.
	for i := range shares {
		shares[i] = math.Pow(float64(i+1), -exponent)
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// busiestShare is the share of the busiest partition, if the hottest products have salts: they use the partition of
// their name and those after it, in equal parts because they have many users.
func busiestShare(shares []float64, partitions, hottest, salts int) float64 {
	all := make([]float64, nameSets)
	for set := range all {
		load := make([]float64, partitions)
		for i, share := range shares {
			parts := 1
			if i < hottest {
				parts = min(salts, partitions)
			}
			home := int(stream.PartitionOf(traffic.Workspace, fmt.Sprintf("shop-%d-%d", set, i), int32(partitions)))
			for j := range parts {
				load[(home+j)%partitions] += share / float64(parts)
			}
		}
		all[set] = slices.Max(load)
	}
	return measure.Summarize(all...).Median
}

// shareCell is a share, and the number of partitions whose work fits before the busiest one is full.
func shareCell(share float64) string {
	return fmt.Sprintf("%s (%s)", percent(share), oneDigit(1/share))
}

func percent(share float64) string { return oneDigit(100*share) + "%" }

// oneDigit formats small fractions with one digit after the point.
func oneDigit(v float64) string {
	if v >= 10 || v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}
