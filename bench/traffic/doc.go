// Package traffic makes realistic Segment messages from a seed. Browsers send their page and agent, servers send less;
// orders have several products; few users are very active; some messages contain addresses. A message depends only on
// the seed and its number, so that many goroutines can make parts of the same traffic.
//
// Files, in the order in which a message is made:
//
//	config.go    the configuration
//	kinds.go     the kinds of messages, and their frequencies
//	message.go   one message by its number
//	contents.go  its context and properties
//	body.go      messages as the body of a request, with new ids and times at low cost
//	fill.go      messages as records of the ingest topic
package traffic
