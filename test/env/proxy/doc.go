// Package proxy is a network that can be cut: between one process and the nodes of a service stands a Link,
// and through it goes everything that they say to each other. Bytes are swallowed without a word, only the
// answers are, connections are reset, or everything takes longer.
//
// A Kafka client goes where the brokers tell it to: in what they say of themselves, the link puts its own
// addresses.
//
// Files, in the order a connection meets them:
//
//	link.go   the link and what is wrong with it
//	pump.go   one direction of one connection
//	kafka.go  addresses in a broker's answers
package proxy
