// Package vault takes credentials in and never gives them out.
//
// A Store keeps the secrets. FileStore, the embedded one, is a single file
// encrypted with age; a RemoteStore keeps them in HashiCorp Vault or Azure Key
// Vault; MemoryStore holds them for a simulation. A Keyring holds the program's
// own keys.
//
// Every error that leaves the package is a *problems.Problem.
package vault
