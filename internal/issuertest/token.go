package issuertest

import (
	"maps"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Token signs claims with the present key.
func (i *Issuer) Token(claims Claims) string {
	i.tb.Helper()
	return Sign(i.tb, i.SigningKey(), nil, claims)
}

// Sign signs claims with a key. The header's members are added to the usual
// ones, or take their place; nil takes one out.
func Sign(tb testing.TB, key Key, header map[string]any, claims Claims) string {
	tb.Helper()
	var method jwt.SigningMethod = jwt.SigningMethodES256
	var private any = key.EC
	if key.RSA != nil {
		method, private = jwt.SigningMethodRS256, key.RSA
	}
	header = With(map[string]any{"alg": method.Alg(), "typ": "JWT", "kid": key.ID}, header)
	signed, err := (&jwt.Token{Header: header, Claims: jwt.MapClaims(claims), Method: method}).SignedString(private)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// Unsigned is header and claims, as they are signed.
func Unsigned(tb testing.TB, header map[string]any, claims Claims) string {
	tb.Helper()
	text, err := (&jwt.Token{Header: header, Claims: jwt.MapClaims(claims)}).SigningString()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// With returns claims with some of them set otherwise; nil takes one out.
func With(claims, changes Claims) Claims {
	all := maps.Clone(claims)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}
