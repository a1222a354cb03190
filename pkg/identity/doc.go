// Package attribution decides who did what: which user an event belongs to, which organization, which
// conversation. What is decided is a function of all that has been said, whatever the order in which it was
// heard: everything kept here only ever grows in one direction (the earliest of the times, the union of the
// sets), so that a replay, a late message and two loaders at once come to the same end.
//
//   - id.go: the ids, which are names turned into UUIDs, so that nobody has to agree on them
//   - claim.go: what a message says of a user, and in what way it weighs
//   - identities.go: all that is known of external ids and addresses, as far as it is cached, and whose they are
//   - organizations.go: the same of organizations, who are what their id says
//   - cache.go: what bounds it
//   - preload.go: all that is known, taken up at once
//   - flight.go: a block's way through it: look up, learn, resolve, land
//   - lookback.go: the conversation before an event
//
// Nothing here knows of ClickHouse: pkg/loader looks up what is not cached and writes down what is new.
package identity
