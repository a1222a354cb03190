package loader

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Config is what an operator may set. Validate checks it.
type Config struct {
	BlockRows         int           `help:"Rows after which a partition's block is inserted." default:"100000"`
	BlockBytes        int           `help:"Bytes after which a partition's block is inserted." default:"67108864"`
	BlockLinger       time.Duration `help:"Time after which a partition's block is inserted, full or not." default:"1s"`
	MaxBufferedBytes  int64         `help:"Bytes of fetched and not yet committed records, of all partitions. At this limit fetching pauses." default:"201326592"`
	MaxPartitionBytes int64         `help:"Bytes of one partition's records that wait to be mapped. At this limit its fetching pauses." default:"8388608"`
	DedupWindow       time.Duration `help:"Time within which a message with the insert id of a stored event and another timestamp is dropped as a duplicate. 0 disables it." default:"24h"`
	DedupIDs          int           `name:"dedup-ids" help:"Insert ids kept in memory for that, of all partitions of the topic; about 16 bytes each. If the window has more, it is shorter." default:"4000000"`
	Attribution       bool          `help:"Find the user, organization and conversation of each event." default:"true" negatable:""`
	IdentityCache     int           `help:"External ids to cache with their users, and as many e-mail addresses; about 125 bytes each. If the cache holds all of them, ClickHouse is not queried." default:"2000000"`
	StopTimeout       time.Duration `help:"Time for a revoked partition to finish its inserts. A loader that stops needs up to three times as long: for its inserts, for leaving the group and for its dead letters. Keep it well below --session-timeout." default:"5s"`

	Consumer  stream.ConsumerConfig `embed:""`
	Warehouse warehouse.Config      `embed:""`
}

// Validate returns an error that names the first flag with a wrong value.
func (c *Config) Validate() error {
	for _, limit := range []struct {
		flag       string
		value, min int64
	}{
		{"--block-rows", int64(c.BlockRows), 1},
		{"--block-bytes", int64(c.BlockBytes), 1 << 20},
		{"--block-linger", int64(c.BlockLinger), int64(time.Millisecond)},
		{"--dedup-ids", int64(c.DedupIDs), 1},
		{"--identity-cache", int64(c.IdentityCache), 1},
		{"--max-partition-bytes", c.MaxPartitionBytes, 1 << 20},
		{"--stop-timeout", int64(c.StopTimeout), int64(time.Millisecond)},
	} {
		if limit.value < limit.min {
			return fmt.Errorf("%s is %d, but must be at least %d", limit.flag, limit.value, limit.min)
		}
	}
	switch {
	case c.DedupWindow != 0 && c.DedupWindow < time.Minute:
		return fmt.Errorf("--dedup-window is %s, but must be 0 or at least 1m", c.DedupWindow)
	case c.MaxBufferedBytes < c.MaxPartitionBytes:
		return fmt.Errorf("--max-buffered-bytes is %d, but must be at least --max-partition-bytes, %d",
			c.MaxBufferedBytes, c.MaxPartitionBytes)
	case c.StopTimeout >= c.Consumer.SessionTimeout:
		return fmt.Errorf("--stop-timeout is %s, but must be below --session-timeout, %s: the group waits no longer",
			c.StopTimeout, c.Consumer.SessionTimeout)
	case c.StopTimeout+c.Consumer.Heartbeat() >= c.Consumer.RebalanceTimeout:
		return fmt.Errorf("--rebalance-timeout is %s, but must be above --stop-timeout plus a fifth of "+
			"--session-timeout, %s: a loader needs that long to give partitions up",
			c.Consumer.RebalanceTimeout, c.StopTimeout+c.Consumer.Heartbeat())
	}
	if err := c.Consumer.Validate(); err != nil {
		return err
	}
	return c.Warehouse.Validate()
}
