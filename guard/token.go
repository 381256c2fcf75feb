package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
)

const (
	// TokenPrefix begins every invocation token, so that scanners find one that
	// was left somewhere, and so that no other kind of bearer looks like one.
	TokenPrefix = "mpt_"
	// tokenSize is what follows it, in bytes, as base64url.
	tokenSize = 32

	// DefaultTokenLife and MaxTokenLife are how long a token holds, and how long
	// at most where the operator said nothing else.
	DefaultTokenLife = 15 * time.Minute
	MaxTokenLife     = time.Hour

	// ReachAfterEnd is for how long after its end a token may have something left
	// that it approved or opened.
	ReachAfterEnd = ApproverLife + runs.Life

	// tokenCaller begins the name of a caller who has an invocation token.
	tokenCaller = "token:"
	// maxTokens bounds the tokens that hold at the same time.
	maxTokens = 1000
)

// Token is an invocation token as it is kept: what it grants, and a hash in
// place of the token itself.
type Token struct {
	// ID refers to the token and opens nothing.
	ID   string      `json:"id"`
	Hash runs.Digest `json:"hash"`
	// Caller is who calls with it: several tokens for one name are one caller.
	Caller access.Caller `json:"caller"`
	// Grant names tenants by name: globs were expanded when it was issued.
	Grant    access.Grant `json:"grant"`
	IssuedBy string       `json:"issued_by"`
	IssuedAt time.Time    `json:"created"`
	// ExpiresAt is its end. It is void earlier once RevokedAt is set.
	ExpiresAt time.Time `json:"expires"`
	RevokedAt time.Time `json:"revoked,omitzero"`
	// Uses is how many calls it is good for, 0 for any number; Used is how many
	// were made, and counted only where there is a bound.
	Uses int `json:"uses,omitempty"`
	Used int `json:"used,omitempty"`
	// Family is the consent that the token follows from, and Audience the server that
	// it is for; both are empty for a token that an operator issued.
	Family   string `json:"family,omitempty"`
	Audience string `json:"audience,omitempty"`
	// Consent is the row of the family as of the look at which the token was read.
	Consent json.RawMessage `json:"-"`
}

// NewAccessToken makes the access token of a consent. The secret is returned once and
// kept nowhere; the token has still to be stored.
func NewAccessToken(caller access.Caller, family, audience string, grant access.Grant, from, to time.Time) (secret string, token Token) {
	secret = newSecret()
	return secret, Token{
		ID: tokenID(secret), Hash: tokenHash(secret), Caller: caller, Grant: grant, IssuedBy: string(caller),
		IssuedAt: from, ExpiresAt: to, Family: family, Audience: audience,
	}
}

// takenBack reports whether the token was revoked, or the consent behind it was ended
// before its time: its row says so in a member ended, or is gone.
func (t Token) takenBack() bool {
	var consent struct {
		Ended time.Time `json:"ended"`
	}
	ended := t.Family != "" && (json.Unmarshal(t.Consent, &consent) != nil || !consent.Ended.IsZero())
	return ended || !t.RevokedAt.IsZero()
}

// Live reports whether the token can still be called with.
func (t Token) Live(now time.Time) bool {
	return t.Open(now) && (t.Uses == 0 || t.Used < t.Uses)
}

// Open reports whether the token was not revoked and has not expired. One that
// is used up may have calls that are under way.
func (t Token) Open(now time.Time) bool {
	return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt)
}

// Revocable reports whether to revoke the token stops anything. After its end
// that may be what was approved with it or a run that it opened, for as long as
// those can have something left.
func (t Token) Revocable(now time.Time) bool {
	return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt.Add(ReachAfterEnd))
}

// State words where a token stands.
func (t Token) State(now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(t.ExpiresAt):
		return "expired"
	case t.Uses > 0 && t.Used >= t.Uses:
		return "used up"
	default:
		return "live"
	}
}

// Name is who the token was issued for.
func (t Token) Name() string { return strings.TrimPrefix(string(t.Caller), tokenCaller) }

// TokenCaller is the caller that tokens for a name make.
func TokenCaller(name string) access.Caller { return access.Caller(tokenCaller + name) }

// TokenSelection says which tokens to revoke: one, those for a name, or all.
type TokenSelection struct {
	ID  string
	For access.Caller
	All bool
}

// Selects reports whether a token is meant.
func (s TokenSelection) Selects(t Token) bool {
	return s.All || s.ID != "" && s.ID == t.ID || s.For != "" && s.For == t.Caller
}

func newSecret() string { return TokenPrefix + newHandle() }

func newHandle() string {
	var random [tokenSize]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// IsToken reports whether a bearer has the form of an invocation token.
func IsToken(bearer string) bool {
	text, found := strings.CutPrefix(bearer, TokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return found && err == nil && len(raw) == tokenSize
}

// tokenID and tokenHash are made of the token under different names, so that
// the one that is shown says nothing of the one that is compared.
func tokenID(secret string) string {
	sum := sha256.Sum256([]byte("mcp-partner token id\x00" + secret))
	return "tk_" + hex.EncodeToString(sum[:9])
}

func tokenHash(secret string) [sha256.Size]byte {
	return sha256.Sum256([]byte("mcp-partner token\x00" + secret))
}

// shows reports whether a bearer is the token, in the same time for every other.
func (t Token) shows(bearer string) bool {
	hash := tokenHash(bearer)
	return subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1
}
