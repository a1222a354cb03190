//go:build linux

package baselines

import (
	"context"
	"fmt"
)

var kafkaEngine = &Loader{
	Key: "engine", Name: "ClickHouse's Kafka engine", Maps: true, Goal: 2, Less: true,
	Settings: "a table of ClickHouse's Kafka engine and a materialized view that maps in SQL " +
		"([mapping.sql](baselines/mapping.sql)): " + queueSettings + "; without attribution.",
	start: func(_ context.Context, t *Table) (*Loading, error) {
		queue := fmt.Sprintf("CREATE TABLE queue (raw String) ENGINE = Kafka SETTINGS kafka_broker_list = '%s', "+
			"kafka_topic_list = '%s', kafka_group_name = '%s', %s",
			t.Broker, t.Topic, t.Database, queueSettings)
		// The edge writes the headers in this order.
		of := origin{
			workspace:  "_headers.value[2]",
			product:    "splitByChar('\\0', _key)[2]",
			connection: "_headers.value[3]",
			source:     "_headers.value[4]",
			receivedUs: "reinterpretAsInt64(reverse(_headers.value[5]))",
			topic:      "_topic",
			partition:  "_partition",
			offset:     "_offset",
		}
		return &Loading{Begin: func(ctx context.Context) error { return t.sql(ctx, queue, of.view("queue")) }}, nil
	},
}

const queueSettings = "kafka_format = 'RawBLOB', kafka_num_consumers = 2, kafka_thread_per_consumer = 1, kafka_max_block_size = 200000, " +
	"kafka_poll_max_batch_size = 200000, kafka_flush_interval_ms = 4000, kafka_poll_timeout_ms = 100"
