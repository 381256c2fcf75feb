package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Where authenticator data have their flags and the count, and the flags that say that
// a person was there and gave a PIN, a finger or a face. See WebAuthn, section 6.1.
const (
	flagsAt  = sha256.Size
	countAt  = flagsAt + 1
	dataSize = countAt + 4
	verified = 1<<0 | 1<<2
)

// Verify checks that a passkey signed the statement, on a page of the origin where it
// was made, for a person who was verified. The error says in words what does not fit.
func (p Proof) Verify(key Passkey) error {
	var client struct {
		Type        string `json:"type"`
		Challenge   string `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
	}
	challenge, data := p.Statement.Challenge(), p.Assertion.AuthenticatorData
	at, err := url.Parse(key.Origin)
	if err != nil || at.Host == "" {
		return errors.New("the passkey has no origin")
	}
	host := sha256.Sum256([]byte(at.Hostname()))
	switch {
	case !bytes.Equal(p.Assertion.Key, key.ID):
		return errors.New("another passkey signed")
	case json.Unmarshal(p.Assertion.ClientData, &client) != nil || client.Type != "webauthn.get":
		return errors.New("it was made for something else")
	case client.Challenge != base64.RawURLEncoding.EncodeToString(challenge[:]):
		return errors.New("something else was signed")
	case client.Origin != key.Origin || client.CrossOrigin:
		return errors.New("it was signed on a page of another origin")
	case len(data) < dataSize || !bytes.Equal(data[:flagsAt], host[:]):
		return errors.New("it was signed for another host")
	case data[flagsAt]&verified != verified:
		return errors.New("the passkey did not verify the person")
	}
	return p.Assertion.signed(key.PublicKey)
}

// signed checks the signature under a key in the form of COSE.
func (a Assertion) signed(key []byte) error {
	public, err := webauthncose.ParsePublicKey(key)
	if err != nil {
		return errors.New("the key cannot be read")
	}
	client := sha256.Sum256(a.ClientData)
	if ok, err := webauthncose.VerifySignature(public, slices.Concat(a.AuthenticatorData, client[:]), a.Signature); err != nil || !ok {
		return errors.New("the signature is not valid")
	}
	return nil
}
