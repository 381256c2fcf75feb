//go:build race

package fleet_test

// underRace makes fleets smaller: the detector costs ten times the time.
const underRace = true
