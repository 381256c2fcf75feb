// Package contract compares traffic with the published wire contract
// (schemas.OpenAPI): answers one by one, and with Verify the
// provider and the calls that read roles as they answer right now.
package contract
