package auth

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"mcp-partner/internal/strictjson"
)

// maxToken bounds a token, in bytes. Entra ID's largest have about 6 kB.
const maxToken = 16 << 10

// unverified is a parsed token. Nothing in it can be trusted.
type unverified struct {
	header, payload claims
}

// takeApart parses the compact form of a signed token: three parts in base64url
// without padding, two of them JSON objects.
func takeApart(token string) (unverified, error) {
	parts := strings.SplitN(token, ".", 4)
	// The decoder would skip line ends.
	if len(parts) != 3 || parts[2] == "" || strings.ContainsAny(token, "\r\n") {
		return unverified{}, errForm
	}
	header, headerErr := decodePart(parts[0])
	payload, payloadErr := decodePart(parts[1])
	return unverified{header, payload}, cmp.Or(headerErr, payloadErr)
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
func (u unverified) checkHeader() error {
	alg, _ := u.header.text("alg")
	if !slices.Contains(algorithms(), jose.SignatureAlgorithm(alg)) {
		return errHeader
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if u.header.has(name) {
			return errHeader
		}
	}
	kind, given := u.header.text("typ")
	if u.header.has("typ") && !given {
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
