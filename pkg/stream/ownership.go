package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrNotOwned means that a partition is not this member's any more, or not yet: the group and the member agree.
var ErrNotOwned = errors.New("the partition is another loader's")

// ConfirmOwnership asks the group whether the partitions are still this member's, as it was called when they were
// assigned: a member that slept, or lost the brokers, believes so for a while after others have them. A rebalance that
// has begun has given nothing to anybody yet. Without an error they were this member's at some moment of the call.
func (c *Consumer) ConfirmOwnership(ctx context.Context, partitions []Partition) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	request := kmsg.NewPtrHeartbeatRequest()
	request.Group = c.config.Group
	if c.config.InstanceID != "" {
		request.InstanceID = &c.config.InstanceID
	}
	request.MemberID, request.Generation = c.kafka.GroupMetadata()
	if err := c.assignedTo(request.MemberID, partitions); err != nil {
		return err
	}
	answer, err := request.RequestWith(ctx, c.kafka)
	if err != nil {
		return fmt.Errorf("ask whether partitions are still this loader's: %w", err)
	}
	switch err := kerr.ErrorForCode(answer.ErrorCode); {
	case err == nil, errors.Is(err, kerr.RebalanceInProgress):
		return nil
	default: // a generation that is over too: this member learns of the next in a moment
		return fmt.Errorf("ask whether partitions are still this loader's: %w", fenced(err))
	}
}

// assignedTo checks that the partitions were assigned to the member.
func (c *Consumer) assignedTo(member string, partitions []Partition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range partitions {
		switch of, ok := c.members[p]; {
		case !ok:
			return fmt.Errorf("%s: %w", p, ErrNotOwned)
		case of != member:
			return fmt.Errorf("%s: %w", p, ErrFenced)
		}
	}
	return nil
}
