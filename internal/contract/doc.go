// Package contract holds traffic against the published wire contract of the
// provider (schemas.OpenAPI): requests and answers one by one, and with Verify
// the provider as it answers right now.
package contract
