package warehouse

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

// migrated is a database of the test's own with all tables in it.
func migrated(t testing.TB) (env.Database, Config) {
	t.Helper()
	db := env.ClickHouse(t)
	config := configFor(db)
	_, err := Migrate(t.Context(), config)
	require.NoError(t, err)
	return db, config
}

func configFor(db env.Database) Config {
	return Config{ClickHouse: db.Addr(), Database: db.Name, User: "default", Compression: "none", Timeout: time.Minute, Inserts: 2}
}
