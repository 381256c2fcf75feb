package auth

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// BenchmarkAuthenticate is a token of RS256, as Entra ID makes them: the bare
// check of its signature, the whole verification, and a token that was verified
// lately.
func BenchmarkAuthenticate(b *testing.B) {
	h := newFixture(b, Mapping{})
	key := h.issuer.UseRSA(2048).RSA
	token := h.issuer.Token(h.claims())
	h.accepts(token)
	h.accepts(token)
	b.Run("signature", func(b *testing.B) {
		cut := strings.LastIndex(token, ".")
		for b.Loop() {
			signature, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
			if err != nil {
				b.Fatal(err)
			}
			digest := sha256.Sum256([]byte(token[:cut]))
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verification", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := h.verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remembered", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Authenticate(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
