// Package users signs people in, in a browser: at an OpenID Connect issuer, or with a
// passkey of this server. It keeps sessions, invitations and passkeys; what a person
// may do follows from the section callers of the configuration, or from the user.
package users

import (
	"encoding/json"
	"time"

	"mcp-partner/access"
)

// Person is somebody who signed in, as it is kept in a session and behind the tokens of
// a client.
type Person struct {
	// Caller is who they are to the guard: entra:TENANT:OBJECT, oidc:HASH or user:NAME.
	Caller access.Caller `json:"caller"`
	// Name is what is shown to the person; it decides nothing and is untrusted.
	Name string `json:"name"`
	// Claims are the verified claims of the issuer by which the mapping grants; none
	// for a user of this server.
	Claims map[string]json.RawMessage `json:"claims,omitempty"`
	// AuthenticatedAt is when they last proved who they are.
	AuthenticatedAt time.Time `json:"authenticated"`
}
