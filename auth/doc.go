// Package auth verifies access tokens of OpenID Connect issuers and maps their
// bearers to grants.
//
// coreos/go-oidc checks form, algorithm, signature and issuer. This package
// checks that the token is an access token, is for this server only, and is
// valid now. It keeps the keys itself, because go-oidc's key set asks the issuer
// again for every token that does not match, and reads answers of any size.
//
// Only the hash and the claims of a verified token are kept for a while. The
// token itself reaches neither Azure, the log nor an error.
package auth
