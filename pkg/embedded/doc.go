// Package embedded brings the real parts that Millrace needs to one machine, without containers: the
// ClickHouse engine in a child process, a Kafka broker in this process, and Redis where it is installed.
// They serve `millrace up` on a laptop and every test that wants more than pure functions.
//
// The engine is either a clickhouse binary on PATH or the same engine as a shared library, fetched once
// per machine with npm. The library installs signal handlers of its own, so it never runs in a process
// that does other work: a program that uses this package calls RunChild first thing in main.
//
// Files, in the order a start meets them:
//
//	child.go       this binary, executed again as the engine
//	engine.go      where the engine is: PATH, or the cache folder
//	fetch.go       getting it with npm
//	unpack.go      verifying the package and unpacking the library
//	lock.go        one process to a data folder
//	address.go     picking ports
//	config.go      the engine's settings on a small machine
//	clickhouse.go  starting it, waiting until it answers, stopping it
//	watch.go       starting it again when it ends
//	broker.go      the Kafka broker
//	strays.go      members of groups whom it would keep for ever
//	redis.go       Redis, if it is installed
package embedded
