package users_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// authenticator is a device with one passkey, in software. What it says is set by the
// test; it is written from the standard and not with the library that checks it.
type authenticator struct {
	t      testing.TB
	origin string
	rpID   string
	// flags are the bits of the authenticator data: 1 present, 4 verified, 8 may be
	// backed up, 16 is backed up.
	flags byte
	count uint32
	still bool   // does not count
	user  string // the handle of the user, as the server gave it
	id    []byte
	key   *ecdsa.PrivateKey
}

func newAuthenticator(t testing.TB, origin string) *authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return &authenticator{t: t, origin: origin, rpID: "localhost", flags: 1 | 4 | 8 | 16, count: 1, id: id, key: key}
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func (a *authenticator) clientData(kind, challenge string) []byte {
	text, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	return text
}

func (a *authenticator) data(flags byte) []byte {
	host := sha256.Sum256([]byte(a.rpID))
	return binary.BigEndian.AppendUint32(append(host[:], flags), a.count)
}

// bytesOf is a byte string in CBOR.
func bytesOf(raw []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x59}, uint16(len(raw))), raw...)
}

// create answers a challenge with the passkey, as a browser sends it.
func (a *authenticator) create(challenge string) string {
	point, _ := a.key.PublicKey.Bytes() // never fails on a curve of the library
	// {1: 2, 3: -7, -1: 1, -2: x, -3: y}
	key := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21}, bytesOf(point[1:33])...)
	key = append(append(key, 0x22), bytesOf(point[33:])...)
	data := append(a.data(a.flags|0x40), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(a.id))), a.id...)
	// {"fmt": "none", "attStmt": {}, "authData": data}
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData"), bytesOf(append(data, key...))...)
	return a.credential(map[string]any{"clientDataJSON": b64(a.clientData("webauthn.create", challenge)), "attestationObject": b64(object)})
}

// get signs a challenge.
func (a *authenticator) get(challenge string) string {
	if !a.still {
		a.count++
	}
	client, data := a.clientData("webauthn.get", challenge), a.data(a.flags)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.credential(map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64([]byte(a.user)),
	})
}

func (a *authenticator) credential(response map[string]any) string {
	text, _ := json.Marshal(map[string]any{
		"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{},
	})
	return string(text)
}
