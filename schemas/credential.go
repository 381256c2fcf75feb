package schemas

// CredentialView is what is told of a credential: never the secret, nor where
// it is kept.
type CredentialView struct {
	Name string `json:"name" doc:"Name of the credential."`
	// Kind is one of the kinds of docs/credentials.md.
	Kind string `json:"kind" doc:"How it proves who it is, such as client-secret."`
	// Tenants is how many tenants use it, of those that the asker sees.
	Tenants int `json:"tenants,omitempty" doc:"How many tenants use it."`
	// Expiry is none, unknown, valid, soon or expired.
	Expiry string `json:"expiry" doc:"none, unknown, valid, soon (within 30 days) or expired."`
	// ExpiresAt, LastSuccess and LastFailure are times in RFC 3339, in UTC.
	ExpiresAt   string `json:"expires_at,omitempty" doc:"When it ends."`
	LastSuccess string `json:"last_success,omitempty" doc:"When it last signed in."`
	LastFailure string `json:"last_failure,omitempty" doc:"When it last failed to."`
	// LastProblem is the code of the last failure.
	LastProblem Code `json:"last_problem,omitempty" doc:"Why it last failed to: a problem code."`
}
