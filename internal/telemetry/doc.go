// Package telemetry tells those who run the program what it does: log lines,
// figures and traces.
//
// It is told through hooks that stand in the structs of others: tools.Deps has
// an Observer, armclient.Options an Observe, vault.Options an OnToken, and
// server.HTTPOptions an OnAnswer. Nothing here is found by way of a global.
//
// What it tells is closed: attributes of log lines and spans, and labels of
// figures, come from lists in this package. Arguments, tokens, bodies and names
// of tenants are on none of them, but for the tenant of a log line.
package telemetry
