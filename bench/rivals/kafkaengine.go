//go:build linux

package rivals

import (
	"context"
	_ "embed"
	"strings"
)

var kafkaEngine = &Loader{
	Key: "engine", Name: "ClickHouse's Kafka engine", Maps: true, Goal: 2, Less: true,
	Settings: "a Kafka table and a materialized view that maps in SQL ([kafkaengine.sql](rivals/kafkaengine.sql)), without attribution.",
	start: func(_ context.Context, t *Table) (*Loading, error) {
		text := strings.NewReplacer("{broker}", t.Broker, "{topic}", t.Topic, "{group}", t.Database).Replace(kafkaEngineSQL)
		return &Loading{Begin: func(ctx context.Context) error { return t.sql(ctx, strings.Split(text, ";\n\n")...) }}, nil
	},
}

//go:embed kafkaengine.sql
var kafkaEngineSQL string
