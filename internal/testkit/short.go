// Package testkit is what tests of every package share.
package testkit

import "testing"

// Kind is a kind of test that takes longer than all others together.
type Kind string

// The kinds that `go test -short` leaves out. CI's lanes run them all.
const (
	Processes   Kind = "starts processes"
	Passphrases Kind = "derives keys from many passphrases"
	Properties  Kind = "tries thousands of cases"
	Load        Kind = "opens hundreds of connections or writes megabytes"
)

// SkipShort skips a test of a kind that `go test -short` leaves out. Helpers
// that start a process call it, so that their tests need not.
func SkipShort(tb testing.TB, kind Kind) {
	tb.Helper()
	if testing.Short() {
		tb.Skipf("left out by -short: %s", kind)
	}
}
