package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A cache against the two maps that say what it does. Many keys have one place in the index.
func TestTheCacheIsTwoGenerations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache[int]()
		young, old := map[key]*int{}, map[key]*int{}
		used := func(k key) *int {
			if v, ok := old[k]; ok {
				young[k] = v
				delete(old, k)
			}
			return young[k]
		}
		keys := rapid.Custom(func(t *rapid.T) key {
			return key{rapid.Uint64Range(0, 40).Draw(t, "a") << rapid.SampledFrom([]int{0, 0, 32, 4}).Draw(t, "by"), rapid.Uint64Range(0, 3).Draw(t, "b")}
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
						young[k] = c.put(k)
						require.Zero(t, *young[k])
						*young[k] = int(k.a)
					}
					c.get(k)
				}
			},
			"remove": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				c.remove(k)
				delete(young, k)
				delete(old, k)
			},
			"turn": func(t *rapid.T) {
				forgotten := 0
				c.nextGeneration(func(*int) { forgotten++ })
				require.Equal(t, len(old), forgotten)
				young, old = map[key]*int{}, young
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(young), c.recent)
				require.Equal(t, len(young)+len(old), c.len)
				n := 0
				c.each(func(*int) { n++ })
				require.Equal(t, c.len, n)
				for _, all := range []map[key]*int{young, old} {
					for k, v := range all {
						require.Same(t, v, c.peek(k), "an entry stays where it is")
						require.Equal(t, int(k.a), *v)
					}
				}
			},
		})
	})
}
