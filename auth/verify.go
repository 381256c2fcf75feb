package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/strictjson"
)

const (
	// skew is the accepted difference between the clocks of issuer and server.
	skew = time.Minute
	// maxSubject bounds a subject, in bytes; OpenID Connect allows 255.
	maxSubject = 255
)

type identity struct {
	issuer issuer
	// subject is the token's sub; object its oid where the issuer is Entra ID,
	// whose sub differs from one application to the next.
	subject, object string
	claims          claims
	// notBefore and expires are set by checkTimes.
	notBefore, expires time.Time
}

func verifySigned(ctx context.Context, keys *keySet, token string) (claims, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, errForm
	}
	payload, err := keys.verify(ctx, signed)
	if err != nil {
		return nil, err
	}
	return parseClaims(payload)
}

// checkAudience wants a token for one name of this server, own, and for no other
// service than the shared ones: what is good elsewhere could be replayed here.
func checkAudience(c claims, own, shared []string) error {
	named := 0
	for _, audience := range c.list("aud") {
		switch {
		case slices.Contains(own, audience):
			named++
		case !slices.Contains(shared, audience):
			return errAudience
		}
	}
	if named != 1 {
		return errAudience
	}
	return nil
}

// checkTimes wants an end, and no beginning ahead.
func (id *identity) checkTimes(now time.Time) error {
	expires, given, err := id.claims.instant("exp")
	if err != nil || !given {
		return errClaims
	}
	for _, name := range []string{"nbf", "iat"} {
		begins, given, err := id.claims.instant(name)
		if err != nil {
			return errClaims
		}
		if given && begins.After(id.notBefore) {
			id.notBefore = begins
		}
	}
	id.expires = expires
	return id.current(now)
}

func (id *identity) current(now time.Time) error {
	switch {
	case !now.Before(id.expires.Add(skew)):
		return errExpired
	case now.Add(skew).Before(id.notBefore):
		return errNotYet
	}
	return nil
}

// checkKind tells access tokens from the other kinds that an issuer signs with
// the same keys, and refuses tokens that are good only with a proof of a key.
func checkKind(header, c claims) error {
	switch kind, _ := header.text("typ"); {
	case c.has("cnf"):
		return errBound
	case c.has("typ"): // Keycloak has Bearer, ID, Refresh and others here
		if claimed, _ := c.text("typ"); claimed != "Bearer" {
			return errKind
		}
		return nil
	case declaresAccess(kind):
		return nil
	}
	return checkUntyped(c)
}

// checkUntyped goes by what only ID tokens and logout tokens have, and by what
// they lack: an ID token is for its client, and most name none beside their
// audience.
func checkUntyped(c claims) error {
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events"} {
		if c.has(name) {
			return errKind
		}
	}
	for _, name := range []string{"azp", "appid", "client_id", "cid"} {
		if _, given := c.text(name); given {
			return nil
		}
	}
	return errKind
}

func (id *identity) identify() error {
	var given bool
	if id.subject, given = id.claims.text("sub"); !given || len(id.subject) > maxSubject {
		return errClaims
	}
	if id.issuer.tenant == "" {
		return nil
	}
	tenant, _ := id.claims.text("tid")
	id.object, _ = id.claims.text("oid")
	if !strings.EqualFold(tenant, id.issuer.tenant) || !naming.IsGUID(id.object) {
		return errClaims
	}
	return nil
}

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

// maxToken bounds a token, in bytes. Entra ID's largest have about 6 kB.
const maxToken = 16 << 10

// takeApart parses the compact form of a signed token: three parts in base64url
// without padding, two of them JSON objects. Nothing in it is verified.
func takeApart(token string) (header, payload claims, err error) {
	parts := strings.SplitN(token, ".", 4)
	// The decoder would skip line ends.
	if len(parts) != 3 || parts[2] == "" || strings.ContainsAny(token, "\r\n") {
		return nil, nil, errForm
	}
	header, headerErr := decodePart(parts[0])
	payload, payloadErr := decodePart(parts[1])
	return header, payload, cmp.Or(headerErr, payloadErr)
}

func decodePart(part string) (claims, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errForm
	}
	return parseClaims(text)
}

// parseClaims takes names as they are written, each once.
func parseClaims(text []byte) (claims, error) {
	c, err := strictjson.All(text)
	if err != nil {
		return nil, errForm
	}
	return c, nil
}

// checkHeader refuses members that would change the token's meaning. Keys in the
// header (jwk, jku, x5c, x5u) are ignored.
func checkHeader(header claims) error {
	alg, _ := header.text("alg")
	if !slices.Contains(algorithms(), jose.SignatureAlgorithm(alg)) {
		return errHeader
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if header.has(name) {
			return errHeader
		}
	}
	kind, given := header.text("typ")
	if header.has("typ") && !given {
		return errHeader
	}
	if kind != "" && mediaType(kind) != "jwt" && !declaresAccess(kind) {
		return errKind
	}
	return nil
}

// declaresAccess reports whether a typ says that it is an access token (RFC 9068).
func declaresAccess(typ string) bool { return mediaType(typ) == "at+jwt" }

func mediaType(typ string) string { return strings.TrimPrefix(strings.ToLower(typ), "application/") }

// claims are the members of a token's header or payload.
type claims map[string]json.RawMessage

func (c claims) has(name string) bool { return c[name] != nil }

// text returns a claim that is a string and not empty.
func (c claims) text(name string) (string, bool) {
	var text string
	if c[name] == nil || json.Unmarshal(c[name], &text) != nil || text == "" {
		return "", false
	}
	return text, true
}

// list returns a claim that is a string or an array of strings; another form
// counts as empty.
func (c claims) list(path ...string) []string {
	raw := c.at(path)
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

func (c claims) at(path []string) json.RawMessage {
	raw := c[path[0]]
	for _, name := range path[1:] {
		var inner claims
		if json.Unmarshal(raw, &inner) != nil {
			return nil
		}
		raw = inner[name]
	}
	return raw
}

// words splits each item of a list at spaces, as scopes are written.
func (c claims) words(name string) []string {
	var words []string
	for _, item := range c.list(name) {
		words = append(words, strings.Fields(item)...)
	}
	return words
}

// lastInstant is the end of the year 9999 in Unix seconds.
const lastInstant = 253402300799

// instant returns a claim that is a time, or an error for another value.
func (c claims) instant(name string) (at time.Time, given bool, err error) {
	if !c.has(name) {
		return time.Time{}, false, nil
	}
	var seconds float64
	if string(c[name]) == "null" || json.Unmarshal(c[name], &seconds) != nil || seconds < 0 || seconds > lastInstant {
		return time.Time{}, true, errClaims
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true, nil
}
