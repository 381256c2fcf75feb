// Package fleet looks after many tenants at once: which of them a caller means,
// runs that continue without a waiting caller and survive a crash, and audits
// with a true answer for every tenant.
//
// It declares what it needs (a directory, clients, a store, a clock) and knows
// neither MCP nor a database.
package fleet
