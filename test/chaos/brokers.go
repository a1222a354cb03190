//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/millrace/millrace/pkg/embedded"
	"github.com/millrace/millrace/test/env/kafka"
)

// brokers are three nodes of Apache Kafka, or one broker in this process.
type brokers struct {
	cluster *kafka.Cluster // nil for the broker in this process
	disk    disk

	dir   string
	addr  string
	mu    sync.Mutex
	kfake *embedded.Broker
}

// startBrokers starts the brokers, the last node with its own disk.
func startBrokers(dir string, fake bool) (*brokers, error) {
	b := &brokers{dir: filepath.Join(dir, "kafka")}
	if fake {
		return b, b.startKfake("127.0.0.1:0")
	}
	data := kafka.DataDir(b.dir, kafka.Size)
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	b.disk = newDisk(data)
	var err error
	if b.cluster, err = kafka.Launch(b.dir); err != nil {
		b.disk.close()
		return nil, err
	}
	return b, nil
}

func (b *brokers) startKfake(addr string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	b.kfake, err = embedded.StartBroker(embedded.BrokerConfig{Dir: b.dir, Addr: addr})
	if err == nil {
		b.addr = b.kfake.Addr()
	}
	return err
}

func (b *brokers) stopKfake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kfake.Close()
}

func (b *brokers) addrs() []string {
	if b.cluster == nil {
		return []string{b.addr}
	}
	return b.cluster.Addrs()
}

// awaitInSync returns when all replicas of the topics are in sync.
func (b *brokers) awaitInSync(ctx context.Context, topics ...string) error {
	if b.cluster == nil {
		return nil
	}
	return b.cluster.AwaitInSync(ctx, topics...)
}

func (b *brokers) close() error {
	if b.cluster == nil {
		b.stopKfake()
		return nil
	}
	b.cluster.Stop()
	b.disk.close()
	return nil
}
