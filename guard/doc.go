// Package guard answers one question: may this happen? It holds the bounds and
// the policy of the server, asks for a person's confirmation, and issues the
// Permit without which armclient sends nothing but GET.
//
// The guard knows neither MCP nor Azure nor a database. It declares the Store
// that it needs, and fails closed: what it cannot decide is refused.
package guard
