// Command skewsim reckons how much of all messages the busiest partition gets, when some products send far more than
// others. It prints the tables of docs/capacity.md, the same ones every time: go run ./bench/skewsim
package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/millrace/millrace/pkg/stream"
)

const (
	products = 1000
	namings  = 15 // which products meet in a partition is luck, so the median of this many sets of names is shown
)

var (
	exponents  = []float64{0, .8, 1, 1.2, 1.5}
	partitions = []int{8, 16, 32, 64, 128}
	salts      = []int{1, 2, 4, 8, 16, 32, 64}
	hottest    = []int{1, 10, 100}
)

// Of the second table.
const (
	saltExponent   = 1.2
	saltPartitions = 64
)

func main() {
	byExponent(os.Stdout)
	fmt.Println()
	bySalts(os.Stdout)
}

// byExponent is without any spread.
func byExponent(w io.Writer) {
	head := []string{"Zipf's exponent", "the hottest product"}
	for _, p := range partitions {
		head = append(head, fmt.Sprintf("%d partitions", p))
	}
	t := table{w}
	t.head(head)
	for _, exponent := range exponents {
		shares := zipf(products, exponent)
		cells := []string{number(exponent), percent(shares[0])}
		for _, p := range partitions {
			cells = append(cells, cell(busiest(shares, p, 0, 1)))
		}
		t.row(cells)
	}
}

// bySalts lets the hottest products use several partitions.
func bySalts(w io.Writer) {
	head := []string{"`salts`"}
	for _, hot := range hottest {
		head = append(head, map[bool]string{true: "of the hottest product", false: fmt.Sprintf("of the %d hottest", hot)}[hot == 1])
	}
	t := table{w}
	t.head(head)
	shares := zipf(products, saltExponent)
	for _, over := range salts {
		cells := []string{number(float64(over))}
		for _, hot := range hottest {
			cells = append(cells, cell(busiest(shares, saltPartitions, hot, over)))
		}
		t.row(cells)
	}
}

// zipf is each product's share of all messages, the greatest first: that of number n falls as n to the power of the exponent.
func zipf(n int, exponent float64) []float64 {
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

// busiest is the share of the busiest partition, with the hottest products spread over several: the one that the product's
// name gives, as pkg/stream puts it there, and those behind it. A product's users are so many that each part is as large as the others.
func busiest(shares []float64, partitions, hot, over int) float64 {
	all := make([]float64, namings)
	for naming := range all {
		load := make([]float64, partitions)
		for i, share := range shares {
			parts := 1
			if i < hot {
				parts = min(over, partitions)
			}
			home := int(stream.PartitionOf(fmt.Sprintf("shop-%d-%d", naming, i), int32(partitions)))
			for j := range parts {
				load[(home+j)%partitions] += share / float64(parts)
			}
		}
		all[naming] = slices.Max(load)
	}
	slices.Sort(all)
	return all[namings/2]
}

// cell is a share, and how many partitions' worth of work can be done at once before that one is behind.
func cell(share float64) string { return fmt.Sprintf("%s (%s)", percent(share), number(1/share)) }

func percent(share float64) string { return number(100*share) + "%" }

func number(v float64) string {
	if v >= 10 || v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

type table struct{ io.Writer }

func (t table) head(cells []string) {
	t.row(cells)
	t.row(strings.Split(strings.Repeat("---,", len(cells)-1)+"---", ","))
}

func (t table) row(cells []string) { fmt.Fprintf(t, "| %s |\n", strings.Join(cells, " | ")) }
