//go:build race

package e2e

// raceFlags build the binary with the race detector where the tests have it,
// so that a race in the binary fails them.
func raceFlags() []string { return []string{"-race"} }
