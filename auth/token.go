package auth

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcp-partner/internal/strictjson"
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
