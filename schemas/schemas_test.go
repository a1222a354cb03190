package schemas

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

// A migration that has been released is never changed: databases have had it as it was. A new one is added here.
func TestReleasedMigrationsAreAsTheyWere(t *testing.T) {
	files, err := Migrations(For{})
	require.NoError(t, err)
	names, err := fs.Glob(files, "*.sql")
	require.NoError(t, err)
	var got string
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		got += fmt.Sprintf("%016x %s\n", xxhash.Sum64(text), name)
	}
	require.Equal(t, `810e6934dd070392 00001_events.sql
5f398ca793ef4803 00002_dead_letters.sql
cb8768f298cd879a 00003_outcomes.sql
aa9be76517b62942 00004_attribution.sql
c5ca905dfdd7c968 00005_people.sql
ef59045f93e5dd6e 00006_analytics.sql
ca2336742ad320fb 00007_new_parts.sql
ad5c080415ea2d78 00008_spread.sql
ba4d6f964c242181 00009_fewer_merges.sql
`, got)
}
