// Package users signs people in, in a browser: at an OpenID Connect issuer, or with a
// passkey of this server. It keeps sessions, invitations and passkeys; what a person
// may do follows from the section callers of the configuration, or from the user.
package users

import "mcp-partner/auth"

// Person is somebody who signed in, as it is kept in a session and behind the tokens of
// a client.
type Person = auth.Person
