//go:build race

package wire

// underRace tells that pools drop what they hold now and then, so that allocations cannot be counted.
const underRace = true
