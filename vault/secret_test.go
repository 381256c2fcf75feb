package vault

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mcp-partner/schemas"
)

func mustSecret(tb testing.TB, text string) Secret {
	tb.Helper()
	secret, err := NewSecret([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

func TestSecretIsPrintedByNothing(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, testSecret)
	type inner struct{ secret Secret }
	type outer struct {
		Public  Secret
		private Secret
		nested  inner
		pointer *Secret
		list    []Secret
		table   map[string]Secret
		any     any
	}
	value := outer{secret, secret, inner{secret}, &secret, []Secret{secret}, map[string]Secret{"a": secret}, secret}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10s", "%t", "%c", "%U", "%o", "%e"} {
		for _, printed := range []any{secret, &secret, value, &value, []any{secret, value}, errors.New(fmt.Sprint(value))} {
			wantNoLeak(t, "", fmt.Sprintf(format, printed))
		}
	}
	if got := fmt.Sprintf("%+v", inner{secret}); !strings.Contains(got, redacted) {
		t.Errorf("an unexported field prints %q, want it to say %s", got, redacted)
	}
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
		slog.New(handler).Info("x", "secret", secret, "value", value, slog.Group("g", "s", &secret))
	}
	asJSON, err := json.Marshal(map[string]any{"a": secret, "b": value, "c": &secret})
	if err != nil {
		t.Fatal(err)
	}
	asXML, err := xml.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	wantNoLeak(t, "", logged.String(), string(asJSON), string(asXML), secret.String(), secret.GoString())
	if !strings.Contains(string(asJSON), redacted) {
		t.Errorf("JSON is %s", asJSON)
	}
}

func TestSecretForms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ raw, want string }{
		"plain": {"abcdef", "abcdef"}, "newline": {"abcdef\n", "abcdef"}, "windows": {"abcdef\r\n", "abcdef"},
		"spaces": {" a b ", " a b "},
	} {
		if got := string(bytesOf(mustSecret(t, test.raw))); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	for name, raw := range map[string]string{
		"two newlines": "abcdef\n\n", "two lines": "abc\ndef", "lone return": "abcdef\r", "blanks": " \t ", "blank line": "  \n",
		"empty": "", "newline alone": "\n", "NUL": "a\x00b", "not UTF-8": "\xff\xfea", "too large": strings.Repeat("x", MaxSecretBytes+1),
	} {
		_, err := NewSecret([]byte(raw))
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		wantCode(t, err, schemas.CodeInvalidArgument)
	}
}

func TestSecretIsACopy(t *testing.T) {
	t.Parallel()
	raw := []byte("abcdef")
	secret, err := NewSecret(raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if !secret.Equal(mustSecret(t, "abcdef")) || secret.Equal(mustSecret(t, "abcdeg")) || secret.Equal(Secret{}) {
		t.Error("Equal is wrong, or the secret changed with the caller's bytes")
	}
	if !(Secret{}).Empty() || secret.Empty() {
		t.Error("Empty is wrong")
	}
}
