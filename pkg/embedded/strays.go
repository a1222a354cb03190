package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// strays are members of groups who have gone and whom the broker would keep, with the partitions that were given to
// them, until they miss a rebalance, or for ever. That is so if the connection was gone by the time that the join was
// answered: the session's timer starts only when an answer has been written, where Apache Kafka's starts in any case.
// So those who have not been heard of for longer than their session are sent away.
type strays struct {
	mu      sync.Mutex
	members map[string]*joined
	synced  map[string]time.Time // last SyncGroup of each member: its earlier JoinGroup had been answered
}

// joined is a member as it is seen from its requests.
type joined struct {
	group   string
	session time.Duration
	at      time.Time // when it last asked to join
	heard   time.Time // when it last asked for anything
}

const (
	strayCheck = time.Second
	strayGrace = 2 * time.Second // the broker's own timer comes first
)

// expireStrays does so until ctx ends.
func expireStrays(ctx context.Context, cluster *kfake.Cluster) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		return err
	}
	s := &strays{members: map[string]*joined{}, synced: map[string]time.Time{}}
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.LeaveGroup} {
		cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.hear(r, time.Now())
			return nil, nil, false
		})
	}
	go func() {
		defer client.Close()
		tick := time.NewTicker(strayCheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				for _, leave := range s.expired(time.Now()) {
					_, _ = leave.RequestWith(ctx, client) // if it fails, it is as it was without
				}
			}
		}
	}()
	return nil
}

func (s *strays) hear(r kmsg.Request, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := r.(type) {
	case *kmsg.JoinGroupRequest:
		if r.MemberID != "" {
			s.members[r.MemberID] = &joined{
				group:   r.Group,
				session: time.Duration(r.SessionTimeoutMillis) * time.Millisecond,
				at:      now,
				heard:   now,
			}
		}
	case *kmsg.SyncGroupRequest:
		s.synced[r.Group] = now
		s.heard(r.MemberID, now)
	case *kmsg.HeartbeatRequest:
		s.heard(r.MemberID, now)
	case *kmsg.LeaveGroupRequest:
		delete(s.members, r.MemberID)
		for i := range r.Members {
			delete(s.members, r.Members[i].MemberID)
		}
	}
}

func (s *strays) heard(member string, now time.Time) {
	if m := s.members[member]; m != nil {
		m.heard = now
	}
}

// expired takes out the strays, and says what sends them away. Who waits for a join to be answered has nothing to say.
func (s *strays) expired(now time.Time) (leaves []*kmsg.LeaveGroupRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, m := range s.members {
		synced := s.synced[m.group]
		silent := m.heard
		if synced.After(silent) && m.heard.Equal(m.at) {
			silent = synced // it has been answered since
		}
		if m.at.After(synced) || now.Sub(silent) <= m.session+strayGrace {
			continue
		}
		delete(s.members, id)
		leave, member := kmsg.NewPtrLeaveGroupRequest(), kmsg.NewLeaveGroupRequestMember()
		leave.Group, member.MemberID = m.group, id
		leave.Members = append(leave.Members, member)
		leaves = append(leaves, leave)
	}
	return leaves
}
