package auth

import "time"

// Refusal says why a token was not accepted, with a text of a closed list and
// nothing of the token.
type Refusal struct {
	reason string
	wait   time.Duration
}

// Error implements error.
func (r *Refusal) Error() string { return r.reason }

// Description is for the sender of the token.
func (r *Refusal) Description() string { return r.reason }

// RetryAfter is the pause before the same token is sent again; 0 means never.
func (r *Refusal) RetryAfter() time.Duration { return r.wait }

// The reasons.
var (
	errForm       = &Refusal{reason: "not a signed token of a form that is accepted"}
	errHeader     = &Refusal{reason: "the token's header asks for something that is not accepted"}
	errIssuer     = &Refusal{reason: "the token's issuer is not accepted"}
	errKey        = &Refusal{reason: "the token is signed with a key that the issuer does not publish"}
	errSignature  = &Refusal{reason: "the token's signature is not valid"}
	errClaims     = &Refusal{reason: "the token lacks a claim, or has one of the wrong form"}
	errExpired    = &Refusal{reason: "the token has expired"}
	errNotYet     = &Refusal{reason: "the token is not valid yet"}
	errAudience   = &Refusal{reason: "the token is not for this server, or not for it alone"}
	errKind       = &Refusal{reason: "the token is not an access token"}
	errBound      = &Refusal{reason: "the token is bound to a key of its client, which is not supported"}
	errUnverified = &Refusal{reason: "the issuer cannot be reached, so the token could not be verified", wait: retryWithoutKeys}
)
