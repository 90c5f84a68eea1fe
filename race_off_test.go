//go:build !race

package daxpay_test

const underRace = false
