package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Compares the cache with two maps. Many keys share a position in the index.
func TestCache_AnyOperations_EqualsTwoMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache[int]()
		recent, old := map[key]*int{}, map[key]*int{}
		used := func(k key) *int {
			if v, ok := old[k]; ok {
				recent[k] = v
				delete(old, k)
			}
			return recent[k]
		}
		keys := rapid.Custom(func(t *rapid.T) key {
			shift := rapid.SampledFrom([]int{0, 0, 32, 4}).Draw(t, "shift")
			return key{rapid.Uint64Range(0, 40).Draw(t, "a") << shift, rapid.Uint64Range(0, 3).Draw(t, "b")}
		})
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				require.Equal(t, used(k), c.get(k))
			},
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "times") {
					k := keys.Draw(t, "key")
					if used(k) == nil {
						recent[k] = c.put(k)
						require.Zero(t, *recent[k])
						*recent[k] = int(k.a)
					}
					c.get(k)
				}
			},
			"remove": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				c.remove(k)
				delete(recent, k)
				delete(old, k)
			},
			"next generation": func(t *rapid.T) {
				evicted := 0
				c.nextGeneration(func(*int) { evicted++ })
				require.Equal(t, len(old), evicted)
				recent, old = map[key]*int{}, recent
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(recent), c.recent)
				require.Equal(t, len(recent)+len(old), c.len)
				n := 0
				c.each(func(*int) { n++ })
				require.Equal(t, c.len, n)
				for _, all := range []map[key]*int{recent, old} {
					for k, v := range all {
						require.Same(t, v, c.peek(k), "an entry never moves")
						require.Equal(t, int(k.a), *v)
					}
				}
			},
		})
	})
}
