package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Wipe deletes every topic and every consumer group, and returns when no node knows any. Members that are
// still in a group, such as a loader that a test has killed, are put out of it.
func (c *Cluster) Wipe(ctx context.Context) error {
	if err := c.await(ctx, func() error { return c.deleteTopics(ctx) }); err != nil {
		return err
	}
	return c.await(ctx, func() error { return c.deleteGroups(ctx) })
}

// deleteTopics returns nil when no node knows a topic. They learn of what the controller has done one after
// the other: one that is late does not tell of a topic that was just made, or tells the next test that its
// topics are there.
func (c *Cluster) deleteTopics(ctx context.Context) error {
	known := map[string]bool{}
	for _, n := range c.Nodes {
		state, err := c.ask(ctx, n)
		if err != nil {
			return err
		}
		for _, topic := range state.Topics {
			if !topic.IsInternal {
				known[*topic.Topic] = true
			}
		}
	}
	if len(known) == 0 {
		return nil
	}
	names := slices.Collect(maps.Keys(known))
	if _, err := c.admin.DeleteTopics(ctx, names...); err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	return fmt.Errorf("topics are known to some node: %v", names)
}

func (c *Cluster) deleteGroups(ctx context.Context) error {
	listed, err := c.admin.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	if len(listed) == 0 {
		return nil
	}
	described, err := c.admin.DescribeGroups(ctx, listed.Groups()...)
	if err != nil {
		return fmt.Errorf("describe groups: %w", err)
	}
	for _, group := range described {
		for _, member := range group.Members {
			if err := c.putOut(ctx, group.Group, member); err != nil {
				return fmt.Errorf("put %s out of group %s: %w", member.MemberID, group.Group, err)
			}
		}
	}
	deleted, err := c.admin.DeleteGroups(ctx, listed.Groups()...)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("delete groups: %w", err)
	}
	return nil
}

func (c *Cluster) putOut(ctx context.Context, group string, member kadm.DescribedGroupMember) error {
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	one := kmsg.NewLeaveGroupRequestMember()
	one.MemberID, one.InstanceID = member.MemberID, member.InstanceID
	leave.Members = append(leave.Members, one)
	_, err := leave.RequestWith(ctx, c.kafka)
	return err
}
