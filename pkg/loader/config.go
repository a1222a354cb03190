package loader

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/pkg/warehouse"
)

// Config is what an operator may set.
type Config struct {
	BlockRows         int           `help:"Rows after which a partition's block is inserted." default:"100000"`
	BlockBytes        int           `help:"Bytes after which a partition's block is inserted." default:"67108864"`
	BlockLinger       time.Duration `help:"Time after which a partition's block is inserted, full or not." default:"1s"`
	MaxBufferedBytes  int64         `help:"Bytes of messages held at once, of all partitions: so many blocks are filled and sent side by side." default:"201326592"`
	MaxPartitionBytes int64         `help:"Bytes of one partition's messages that may wait before its fetching is paused." default:"8388608"`
	DedupWindow       time.Duration `help:"How long after an event a message with its insert id and another timestamp is known for a resend. 0 is not at all." default:"24h"`
	DedupIDs          int           `name:"dedup-ids" help:"Insert ids remembered for that, of all partitions of the topic; about 16 bytes each. With more than these in the window it is shorter." default:"4000000"`
	Attribution       bool          `help:"Find out which user, organization and conversation an event is about." default:"true" negatable:""`
	IdentityCache     int           `help:"External ids, and as many e-mail addresses, whose users are kept in memory; about 125 bytes each. If it holds all of them, ClickHouse is not asked." default:"2000000"`
	StopTimeout       time.Duration `help:"How long a partition that is given up may take to finish its inserts, and a loader that ends to leave the group and then to write dead letters: it has ended within three times that. Keep it well below --session-timeout." default:"5s"`

	Consumer  stream.ConsumerConfig `embed:""`
	Warehouse warehouse.Config      `embed:""`
}

// Validate checks the limits, then that they fit together.
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
			return fmt.Errorf("%s is too small: the least is %d", limit.flag, limit.min)
		}
	}
	switch {
	case c.DedupWindow != 0 && c.DedupWindow < time.Minute:
		return fmt.Errorf("--dedup-window is %s, but must be 0 or at least 1m", c.DedupWindow)
	case c.MaxBufferedBytes < c.MaxPartitionBytes:
		return fmt.Errorf("--max-buffered-bytes is %d, but must be at least --max-partition-bytes, %d", c.MaxBufferedBytes, c.MaxPartitionBytes)
	case c.StopTimeout >= c.Consumer.SessionTimeout:
		return fmt.Errorf("--stop-timeout is %s, but must be below --session-timeout, %s: the group waits no longer than that", c.StopTimeout, c.Consumer.SessionTimeout)
	case c.StopTimeout+c.Consumer.Heartbeat() >= c.Consumer.RebalanceTimeout:
		return fmt.Errorf("--rebalance-timeout is %s, but must be above --stop-timeout and a fifth of --session-timeout, %s: a loader that hands over needs that long",
			c.Consumer.RebalanceTimeout, c.StopTimeout+c.Consumer.Heartbeat())
	}
	if err := c.Consumer.Validate(); err != nil {
		return err
	}
	return c.Warehouse.Validate()
}
