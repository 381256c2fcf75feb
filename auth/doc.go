// Package auth verifies access tokens of OpenID Connect issuers and maps their
// bearers to grants.
//
// go-jose checks form, algorithm and signature. This package checks that the
// token is an access token of an accepted issuer, is for this server only, and is
// valid now, and keeps the issuers' keys.
//
// Only the hash and the claims of a verified token are kept for a while. The
// token itself reaches neither Azure, the log nor an error.
package auth
