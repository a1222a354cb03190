// Package kafka runs Apache Kafka itself for tests: three nodes on loopback, each broker and controller
// at once, with every topic on all three and two of them needed for an acknowledgement. Nodes can be killed,
// started again, stopped in their tracks and continued. They end with the test binary, even if that is
// killed.
//
// It needs a java on PATH and the broker's jars, which "make test-kafka" fetches by pom.xml; JarsEnv names
// their folder.
//
// Files, in the order a start meets them:
//
//	pom.xml      which Apache Kafka
//	node.go      one node: its settings and its process
//	cluster.go   three of them
//	state.go     who leads what, what is in sync
//	progress.go  how far a group has come
//	wipe.go      an empty cluster for the next test
package kafka
