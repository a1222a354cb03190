package kafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env/certs"
)

// JarsEnv is the variable that names the folder with the broker's jars. Where it is set, the tests that
// take any broker take this one.
const JarsEnv = "MILLRACE_TEST_KAFKA"

// Size is the number of nodes.
const Size = 3

// startPatience is how long all nodes may take to start.
const startPatience = time.Minute

// Cluster is three nodes.
type Cluster struct {
	Nodes []*Node

	authority *certs.Authority
	kafka     *kgo.Client
	admin     *kadm.Client
}

// Start starts a cluster of the test's own, to kill nodes of.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c, err := Launch(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.output())
		}
		c.Stop()
	})
	return c
}

// Launch starts a cluster with its data in dir and returns when every node is ready.
func Launch(dir string) (*Cluster, error) {
	c, err := prepare(dir)
	if err != nil {
		return nil, fmt.Errorf("prepare Apache Kafka: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err = c.start(ctx); err != nil {
		defer c.Stop()
		return nil, fmt.Errorf("start Apache Kafka: %w\n%s", err, c.output())
	}
	return c, nil
}

// prepare chooses ports and makes a client; nothing runs yet.
func prepare(dir string) (*Cluster, error) {
	jars, err := filepath.Abs(os.Getenv(JarsEnv))
	if found, _ := filepath.Glob(filepath.Join(jars, "kafka_*.jar")); err != nil || len(found) == 0 {
		return nil, fmt.Errorf(
			"%s does not name a folder with the broker's jars, but %q: run make test-kafka",
			JarsEnv,
			os.Getenv(JarsEnv),
		)
	}
	addrs, err := embedded.FreeAddrs("127.0.0.1", 3*Size)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	if c.authority, err = certs.New(dir); err != nil {
		return nil, err
	}
	for i := range Size {
		id := int32(i + 1)
		c.Nodes = append(c.Nodes, &Node{
			ID:         id,
			Addr:       addrs[i],
			controller: addrs[Size+i],
			Secured:    addrs[2*Size+i],
			jars:       jars,
			dir:        filepath.Join(dir, fmt.Sprintf("node-%d", id)),
		})
	}
	c.kafka, err = kgo.NewClient(
		kgo.SeedBrokers(c.Addrs()...),
		kgo.MetadataMinAge(statePoll),
		kgo.DialTimeout(time.Second),
	)
	if err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(c.kafka)
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	var voters []string
	for _, n := range c.Nodes {
		voters = append(voters, fmt.Sprintf("%d@%s", n.ID, n.controller))
	}
	var all errgroup.Group
	for _, n := range c.Nodes {
		all.Go(func() error {
			if err := n.format(strings.Join(voters, ","), c.authority); err != nil {
				return err
			}
			return n.Start()
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	// The topic of the groups' offsets is made when a group is first asked for: here, and not in the first test.
	if err := c.await(ctx, func() error { return c.admin.FindGroupCoordinators(ctx, "any").Error() }); err != nil {
		return err
	}
	if err := c.AwaitInSync(ctx); err != nil {
		return err
	}
	return c.await(ctx, func() error { return c.deleteGroups(ctx) }) // each coordinator has loaded what it has
}

// CA is the file with the certificate of who has signed the nodes'.
func (c *Cluster) CA() string { return c.authority.File }

// Addrs are the nodes' addresses for clients.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, n := range c.Nodes {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

// Stop kills all nodes.
func (c *Cluster) Stop() {
	c.kafka.Close()
	for _, n := range c.Nodes {
		n.Kill()
	}
}

// output is the end of each node's log.
func (c *Cluster) output() string {
	var all strings.Builder
	for _, n := range c.Nodes {
		if n.Process != nil {
			fmt.Fprintf(&all, "node %d:\n%s\n", n.ID, n.Output())
		}
	}
	return all.String()
}
