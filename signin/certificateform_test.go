package signin

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func utf16(text []byte, big bool) []byte {
	out := []byte{0xff, 0xfe}
	if big {
		out = []byte{0xfe, 0xff}
	}
	for _, b := range text {
		if big {
			out = append(out, 0, b)
		} else {
			out = append(out, b, 0)
		}
	}
	return out
}

func TestCertificateFormats(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 0)
	issued := certificate(t, key, year())
	plain := pemOf(t, key, issued)
	pfx, err := pkcs12.Modern.Encode(key, issued, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.LegacyRC2.Encode(key, issued, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(pfx)
	for name, raw := range map[string][]byte{
		"byte order mark":    append([]byte("\xef\xbb\xbf"), plain...),
		"UTF-16":             utf16(plain, false),
		"UTF-16, big endian": utf16(plain, true),
		"CR LF":              bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")),
		"PFX":                pfx,
		"PFX of older tools": legacy,
		"PFX in base64":      []byte(text),
		"base64 in lines":    []byte(text[:64] + "\r\n" + text[64:] + "\n"),
		"base64 as JSON":     []byte(`"` + text + `"` + "\n"),
		"base64 with a mark": []byte("\xef\xbb\xbf" + text),
		"base64 unpadded":    []byte(strings.TrimRight(text, "=")),
		"PEM in base64":      []byte(base64.StdEncoding.EncodeToString(plain)),
	} {
		if _, about, err := NewCertificate(raw, []byte("right")); err != nil || !about.NotAfter.Equal(issued.NotAfter) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pbeWithSHA1And3DES and its like are heads of real files; what follows need
// not be decrypted to be named.
func TestUnsupportedCipherIsNamed(t *testing.T) {
	t.Parallel()
	issued := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t, rsaKey(t, 0), year()).Raw})
	for name, der := range map[string]string{
		"PBE-SHA1-3DES": "MBwwGAYKKoZIhvcNAQwBAzAKBAgAAAAAAAAAAAQA",
		"PBE-MD5-DES":   "MBswFwYJKoZIhvcNAQUDMAoECAAAAAAAAAAABAA=",
	} {
		raw, err := base64.StdEncoding.DecodeString(der)
		if err != nil {
			t.Fatal(err)
		}
		file := append(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: raw}), issued...)
		_, _, err = NewCertificate(file, []byte("pw"))
		problem := roomtest.WantCode(t, err, problems.CodeInvalidArgument)
		for _, word := range []string{"unsupported format", name, "openssl pkcs8 -topk8 -v2 aes256"} {
			if !strings.Contains(problem.Message, word) {
				t.Errorf("%s: %q does not say %q", name, problem.Message, word)
			}
		}
	}
}

func TestDatesOfACertificate(t *testing.T) {
	t.Parallel()
	begin, end := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 4, 0, 0, 0, 0, time.UTC)
	about := Certificate{NotBefore: begin, NotAfter: end}
	for name, test := range map[string]struct {
		now  time.Time
		says string
	}{
		"valid":         {begin.Add(time.Hour), ""},
		"expired":       {end.Add(time.Second), "has expired"},
		"not yet valid": {begin.Add(-time.Second), "is not valid yet"},
	} {
		err := about.CheckDates(test.now)
		if test.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		problem := roomtest.WantCode(t, err, problems.CodeInvalidArgument)
		for _, word := range []string{test.says, "2026-01-02", "2027-03-04"} {
			if !strings.Contains(problem.Message, word) {
				t.Errorf("%s: %q does not say %q", name, problem.Message, word)
			}
		}
	}
}
