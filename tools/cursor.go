package tools

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// ownerSize is how much of the hash of its caller's name a cursor carries, in
// bytes.
const ownerSize = 8

// cursor names the place where the next page begins: behind the key of the last
// row shown, so that rows which come and go between two pages neither repeat nor
// hide others. It opens nothing, because each page is made of what its caller
// may see; that it belongs to one caller keeps a list from being continued with
// another's.
func cursor(caller guard.Caller, key string) string {
	return base64.RawURLEncoding.EncodeToString(append(owner(caller), key...))
}

// openCursor returns the key that a cursor of this caller holds; "" opens to "".
func openCursor(caller guard.Caller, text string) (key string, ok bool) {
	if text == "" {
		return "", true
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < ownerSize || !bytes.Equal(raw[:ownerSize], owner(caller)) {
		return "", false
	}
	key = string(raw[ownerSize:])
	_, id, isKey := strings.Cut(key, "\x00")
	return key, isKey && schemas.IsGUID(id)
}

func owner(caller guard.Caller) []byte {
	sum := sha256.Sum256([]byte("mcp-partner cursor\x00" + caller))
	return sum[:ownerSize]
}
