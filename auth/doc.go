// Package auth makes mcp-partner an OAuth 2.1 resource server: it verifies the
// access tokens of OpenID Connect issuers, and says from the operator's mapping
// what their bearers may do.
//
// coreos/go-oidc checks form, algorithm, signature and issuer. What it leaves
// to its users is checked here: that the token is an access token and no other
// kind, is for this server and for nobody else, and holds now. The keys are kept
// here as well, because go-oidc's own key set asks the issuer again for every
// token that does not fit, and reads answers of any size.
//
// A token that was verified is forgotten; only its hash and what it said are kept
// for a while. It goes nowhere: not to Azure, not into the log, not into an error.
package auth
