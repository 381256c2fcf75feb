package signin

import (
	"bytes"
	"cmp"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// plainForm takes off what editors, shells and Key Vault put around a PEM or PFX
// file: a byte order mark, UTF-16, and base64.
func plainForm(raw []byte) []byte {
	if text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), raw); err == nil {
		raw = text
	}
	if isPEM(raw) {
		return raw
	}
	text := strings.Trim(strings.Join(strings.Fields(string(raw)), ""), `"`)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		// A PFX file is an ASN.1 sequence.
		if decoded, err := encoding.DecodeString(text); err == nil && (isPEM(decoded) || bytes.HasPrefix(decoded, []byte{0x30})) {
			return decoded
		}
	}
	return raw
}

func isPEM(raw []byte) bool { return bytes.Contains(raw, []byte("-----BEGIN ")) }

// unsupportedCipher names what a key is encrypted with that cannot be read, as
// OpenSSL does, or gives its number. The error of the library has the number, except
// that of a scheme older than PBES2 (RFC 8018).
func unsupportedCipher(err error, der []byte) string {
	_, after, _ := strings.Cut(err.Error(), "(OID: ")
	number, _, found := strings.Cut(after, ")")
	if !found {
		var info struct { // EncryptedPrivateKeyInfo (RFC 5958)
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte
		}
		_, _ = asn1.Unmarshal(der, &info) // the library has read it
		number = info.Algorithm.Algorithm.String()
	}
	return cmp.Or(map[string]string{
		"1.2.840.113549.1.12.1.1":   "PBE-SHA1-RC4-128",
		"1.2.840.113549.1.12.1.2":   "PBE-SHA1-RC4-40",
		"1.2.840.113549.1.12.1.3":   "PBE-SHA1-3DES",
		"1.2.840.113549.1.12.1.5":   "PBE-SHA1-RC2-128",
		"1.2.840.113549.1.12.1.6":   "PBE-SHA1-RC2-40",
		"1.2.840.113549.1.5.3":      "PBE-MD5-DES",
		"1.2.840.113549.1.5.10":     "PBE-SHA1-DES",
		"1.2.840.113549.1.5.13":     "PBES2 with an unknown hash function",
		"1.2.840.113549.3.2":        "RC2-CBC",
		"1.3.14.3.2.7":              "DES-CBC",
		"1.2.392.200011.61.1.1.1.2": "CAMELLIA-128-CBC",
		"1.2.392.200011.61.1.1.1.4": "CAMELLIA-256-CBC",
	}[number], number)
}
