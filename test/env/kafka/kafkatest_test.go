//go:build apachekafka

package kafka

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// playEnv makes this test binary one that starts a cluster in the folder named, tells its processes and
// waits to be killed.
const playEnv = "KAFKATEST_PLAY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(playEnv); dir != "" {
		c, err := Launch(dir)
		if err != nil {
			panic(err)
		}
		for _, n := range c.Nodes {
			fmt.Println(n.Pid())
		}
		select {}
	}
	os.Exit(m.Run())
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestCluster(t *testing.T) {
	c := Start(t)
	t.Run("topics are on all nodes and need two", func(t *testing.T) { topicsNeedTwo(t, c) })
	t.Run("a wipe leaves nothing", func(t *testing.T) { wipeLeavesNothing(t, c) })
	t.Run("nodes are killed, started, paused and continued", func(t *testing.T) { leadersGoAndComeBack(t, c) })
}

func create(t *testing.T, c *Cluster, partitions int32) {
	_, err := c.admin.CreateTopic(patient(t), partitions, -1, nil, "t")
	require.NoError(t, err)
	require.NoError(t, c.AwaitInSync(patient(t), "t"))
}

func topicsNeedTwo(t *testing.T, c *Cluster) {
	ctx := patient(t)
	create(t, c, 1)
	configs, err := c.admin.DescribeTopicConfigs(ctx, "t")
	require.NoError(t, err)
	found := map[string]string{}
	for _, config := range configs[0].Configs {
		found[config.Key] = config.MaybeValue()
	}
	require.Equal(t, "2", found["min.insync.replicas"])
	topics, err := c.admin.ListTopics(ctx)
	require.NoError(t, err)
	require.Len(t, topics["t"].Partitions[0].Replicas, Size)
	require.NoError(t, c.Wipe(ctx))
}

func wipeLeavesNothing(t *testing.T, c *Cluster) {
	ctx := patient(t)
	for range 3 {
		create(t, c, 2)
		member, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.DefaultProduceTopic("t"))
		require.NoError(t, err)
		require.NoError(t, member.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
		fetches := member.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		require.Equal(t, 1, fetches.NumRecords(), "the group starts anew")
		require.NoError(t, member.CommitUncommittedOffsets(ctx))
		require.NoError(t, c.Wipe(ctx), "the member is still in the group")
		groups, err := c.admin.ListGroups(ctx)
		require.NoError(t, err)
		require.Empty(t, groups)
		topics, err := c.admin.ListTopics(ctx)
		require.NoError(t, err)
		require.Empty(t, topics)
		member.CloseAllowingRebalance()
	}
}

func leadersGoAndComeBack(t *testing.T, c *Cluster) {
	ctx := patient(t)
	create(t, c, 3)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProduceRequestTimeout(2*time.Second), kgo.RequestTimeoutOverhead(time.Second))
	require.NoError(t, err)
	defer client.Close()
	write := func(value string) {
		t.Helper()
		require.NoError(t, client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr())
	}
	write("before")
	old, err := c.Leader(ctx, "t", 0)
	require.NoError(t, err)
	old.Kill()
	old.Kill() // a second kill does nothing
	write("without it")
	now, err := c.Leader(ctx, "t", 0)
	require.NoError(t, err)
	require.NotEqual(t, old.ID, now.ID)

	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	require.ErrorIs(t, c.AwaitInSync(short), context.DeadlineExceeded, "the control")
	require.NoError(t, old.Start())
	require.NoError(t, c.AwaitInSync(ctx))

	require.NoError(t, now.Pause())
	write("the leader is paused")
	require.NoError(t, now.Continue())
	require.NoError(t, c.AwaitInSync(ctx))
	ends, err := c.admin.ListEndOffsets(ctx, "t")
	require.NoError(t, err)
	end, _ := ends.Lookup("t", 0)
	require.Equal(t, int64(3), end.Offset)
}

func TestCluster_KilledTest_EndsItsNodes(t *testing.T) {
	player := exec.Command(os.Args[0])
	player.Env = append(os.Environ(), playEnv+"="+t.TempDir())
	player.Stderr = os.Stderr
	out, err := player.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, player.Start())
	var nodes []int
	for lines := bufio.NewScanner(out); len(nodes) < Size && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, 0), "the control: it runs")
		nodes = append(nodes, pid)
	}
	require.Len(t, nodes, Size)
	require.NoError(t, player.Process.Kill())
	require.Error(t, player.Wait())
	for _, pid := range nodes {
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, time.Minute, statePoll)
	}
}
