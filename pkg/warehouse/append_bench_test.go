package warehouse

import "testing"

// BenchmarkAppend measures how long a row takes from event to columns.
func BenchmarkAppend(b *testing.B) {
	block := NewEvents()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%benchRows == 0 {
			block.Reset()
		}
		if n%2 == 0 {
			block.Append(&plain, &origin)
		} else {
			block.Append(&full, &origin)
		}
	}
}
