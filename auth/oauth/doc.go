// Package oauth is the authorization server of MCP clients: OAuth 2.1 with metadata
// (RFC 8414), registration (RFC 7591) and client ID metadata documents, PKCE and
// resource indicators (RFC 8707). People sign in by package users, see what they allow,
// and clients get handles of the ledger, which can be revoked.
package oauth
