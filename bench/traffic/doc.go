// Package traffic makes Segment messages as real senders make them, the same ones for the same seed: from browsers
// with their page and agent, and from servers with less; orders with several products; few users who do much and
// many who do little; addresses with some of them. Every message follows from the seed and its number alone, so that
// any number of goroutines may share the making.
//
// Files, in the order in which a message is made:
//
//	config.go   what is to be made
//	kinds.go    which events there are, and how often each happens
//	message.go  one message by its number
//	contents.go  its context and properties
//	body.go     messages as the body of a request, with fresh ids and times at no cost
//	fill.go     messages as records of the ingest topic
package traffic
