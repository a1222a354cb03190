package warehouse

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/embedded/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// migrated is a database of the test's own with all tables in it.
func migrated(t testing.TB) (embeddedtest.Database, Config) {
	t.Helper()
	db := embeddedtest.ClickHouse(t)
	config := configFor(db)
	_, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	return db, config
}

func configFor(db embeddedtest.Database) Config {
	return Config{ClickHouse: db.Addr(), Database: db.Name, User: "default", Compression: "none", Timeout: time.Minute, Inserts: 2}
}
