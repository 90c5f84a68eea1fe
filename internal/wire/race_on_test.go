//go:build race

package wire

// underRace says that the race detector is on: pools then drop objects at random, and allocations cannot be counted.
const underRace = true
