//go:build race

package daxpay_test

// underRace is true with the race detector, under which pools drop items at random and allocations cannot be counted.
const underRace = true
