package signin

import (
	"bytes"
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

// cipherNames names the algorithms of an EncryptedPrivateKeyInfo (RFC 5958), from
// the outermost to the cipher.
func cipherNames(der []byte) (names []string) {
	for len(der) > 0 {
		var part asn1.RawValue
		var id asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(der, &part)
		if err != nil {
			return names
		}
		if part.IsCompound {
			names = append(names, cipherNames(part.Bytes)...)
		} else if _, err := asn1.Unmarshal(part.FullBytes, &id); err == nil {
			names = append(names, algorithmName(id))
		}
		der = rest
	}
	return names
}

// algorithmName is OpenSSL's name of an algorithm, or its number.
func algorithmName(id asn1.ObjectIdentifier) string {
	if name, ok := map[string]string{
		"1.2.840.113549.1.12.1.1":   "PBE-SHA1-RC4-128",
		"1.2.840.113549.1.12.1.2":   "PBE-SHA1-RC4-40",
		"1.2.840.113549.1.12.1.3":   "PBE-SHA1-3DES",
		"1.2.840.113549.1.12.1.5":   "PBE-SHA1-RC2-128",
		"1.2.840.113549.1.12.1.6":   "PBE-SHA1-RC2-40",
		"1.2.840.113549.1.5.3":      "PBE-MD5-DES",
		"1.2.840.113549.1.5.10":     "PBE-SHA1-DES",
		"1.2.840.113549.1.5.12":     "PBKDF2",
		"1.2.840.113549.1.5.13":     "PBES2",
		"1.3.6.1.4.1.11591.4.11":    "scrypt",
		"1.2.840.113549.2.7":        "HMAC-SHA1",
		"1.2.840.113549.2.8":        "HMAC-SHA224",
		"1.2.840.113549.2.9":        "HMAC-SHA256",
		"1.2.840.113549.2.10":       "HMAC-SHA384",
		"1.2.840.113549.2.11":       "HMAC-SHA512",
		"1.2.840.113549.3.2":        "RC2-CBC",
		"1.2.840.113549.3.7":        "DES-EDE3-CBC",
		"1.3.14.3.2.7":              "DES-CBC",
		"2.16.840.1.101.3.4.1.2":    "AES-128-CBC",
		"2.16.840.1.101.3.4.1.22":   "AES-192-CBC",
		"2.16.840.1.101.3.4.1.42":   "AES-256-CBC",
		"1.2.392.200011.61.1.1.1.2": "CAMELLIA-128-CBC",
		"1.2.392.200011.61.1.1.1.4": "CAMELLIA-256-CBC",
	}[id.String()]; ok {
		return name
	}
	return id.String()
}
