// Package telemetry writes log lines, metrics and traces for operators.
//
// Other packages call it through hooks in their structs: tools.Deps has an
// Observer, armclient.Options an Observe, vault.Options an OnToken, and
// server.HTTPOptions an OnAnswer.
//
// Attributes of log lines and spans, and labels of metrics, come from closed
// lists in this package. They exclude arguments, tokens, bodies and, except in
// log lines, names of tenants.
package telemetry
