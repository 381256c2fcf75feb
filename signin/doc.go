// Package signin gets tokens of Entra ID for stored credentials.
//
// A Source hands out an azcore.TokenCredential for one credential in one tenant,
// never a string. Tokens are kept apart for each pair, since a partner link
// belongs to an identity in a tenant and a token of the wrong pair would give a
// believable wrong answer.
//
// Every error that leaves the package is a *problems.Problem. Errors of the
// identity SDK are never wrapped: they hold the request, and with it the
// secret.
package signin
