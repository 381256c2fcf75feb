// Package fleettest has a fleet.Store in memory, for tests alone. It is the
// plain model that the ledger is compared with, and works in a synctest bubble,
// where a database does not.
package fleettest
