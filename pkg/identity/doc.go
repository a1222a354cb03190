// Package identity decides which user, organization and conversation an event belongs to. The result is a function of
// all observations, whatever their order: each value kept here only moves in one direction (the earliest time, the
// union of sets). So replays, late messages and several loaders lead to the same result.
//
//   - id.go: ids are name-based UUIDs, so loaders agree on them without communication
//   - claim.go: what a message says of a user, and how strong that is
//   - identities.go: external ids and addresses in the cache, and their users
//   - organizations.go: the cached organizations and conversations
//   - cache.go: the cache, which is bounded
//   - preload.go: loads all stored claims at once
//   - batch.go: the steps of a batch: add, look up, observe, resolve, complete
//   - lookback.go: the latest conversation before an event
//
// The package does no I/O. pkg/attribution looks up what is not in the cache and writes what is new.
package identity
