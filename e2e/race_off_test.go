//go:build !race

package e2e

func raceFlags() []string { return nil }
