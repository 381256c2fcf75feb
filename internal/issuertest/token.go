package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"testing"
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
	alg := "ES256"
	if key.RSA != nil {
		alg = "RS256"
	}
	signed := Unsigned(tb, with(map[string]any{"alg": alg, "typ": "JWT", "kid": key.ID}, header), claims)
	return signed + "." + encode(key.signature(tb, signed))
}

// Unsigned is header and claims, as they are signed.
func Unsigned(tb testing.TB, header map[string]any, claims Claims) string {
	tb.Helper()
	return part(tb, header) + "." + part(tb, claims)
}

// Shared signs with a shared key by HMAC.
func Shared(secret []byte, signed string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

func (k Key) signature(tb testing.TB, signed string) []byte {
	tb.Helper()
	digest := sha256.Sum256([]byte(signed))
	if k.RSA != nil {
		signature, err := rsa.SignPKCS1v15(rand.Reader, k.RSA, crypto.SHA256, digest[:])
		if err != nil {
			tb.Fatal(err)
		}
		return signature
	}
	r, s, err := ecdsa.Sign(rand.Reader, k.EC, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func part(tb testing.TB, members map[string]any) string {
	tb.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		tb.Fatal(err)
	}
	return encode(text)
}

// With returns claims with some of them set otherwise; nil takes one out.
func With(claims, changes Claims) Claims { return with(claims, changes) }

func with(members, changes map[string]any) map[string]any {
	all := maps.Clone(members)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}
