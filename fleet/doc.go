// Package fleet looks after many tenants at once: which of them a caller means,
// runs that go on while nobody waits and survive a crash, and audits that tell
// the truth about every tenant.
//
// It declares what it needs (a directory, clients, a store, a clock) and knows
// neither MCP nor a database.
package fleet
