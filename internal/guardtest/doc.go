// Package guardtest has a guard.Store in memory, for tests alone. It is the
// plain model that the ledger is compared with.
package guardtest
