// Package vault takes credentials in and never gives them out. It has three
// parts.
//
// The Directory says which tenants there are, which credentials act in each,
// and where those credentials may be sent. It holds no secret.
//
// A Store keeps the secrets. FileStore, the embedded one, is a single file
// encrypted with age; MemoryStore holds them for a simulation.
//
// A Source turns both into tokens: it hands out an azcore.TokenCredential for
// one credential in one tenant, never a string. Tokens are kept apart for each
// pair, since a partner link belongs to an identity in a tenant and a token of
// the wrong pair would give a believable wrong answer.
//
// Every error that leaves the package is a *schemas.Problem. Errors of the
// identity SDK are never wrapped: they hold the request, and with it the
// secret.
package vault
