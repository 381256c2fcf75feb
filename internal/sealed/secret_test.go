package sealed_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

// shown replaces a secret in output.
const shown = "[redacted]"

func TestSecretIsPrintedByNothing(t *testing.T) {
	t.Parallel()
	secret := roomtest.MustSecret(t, roomtest.Canary)
	type inner struct{ secret sealed.Secret }
	type outer struct {
		Public  sealed.Secret
		private sealed.Secret
		nested  inner
		pointer *sealed.Secret
		list    []sealed.Secret
		table   map[string]sealed.Secret
		any     any
	}
	value := outer{secret, secret, inner{secret}, &secret, []sealed.Secret{secret}, map[string]sealed.Secret{"a": secret}, secret}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10s", "%t", "%c", "%U", "%o", "%e"} {
		for _, printed := range []any{secret, &secret, value, &value, []any{secret, value}, errors.New(fmt.Sprint(value))} {
			roomtest.WantNoLeak(t, "", fmt.Sprintf(format, printed))
		}
	}
	if got := fmt.Sprintf("%+v", inner{secret}); !strings.Contains(got, shown) {
		t.Errorf("an unexported field prints %q, want it to say %s", got, shown)
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
	roomtest.WantNoLeak(t, "", logged.String(), string(asJSON), string(asXML), secret.String(), secret.GoString())
	if !strings.Contains(string(asJSON), shown) {
		t.Errorf("JSON is %s", asJSON)
	}
}

func TestSecretForms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ raw, want string }{
		"plain": {"abcdef", "abcdef"}, "newline": {"abcdef\n", "abcdef"}, "windows": {"abcdef\r\n", "abcdef"},
		"spaces": {" a b ", " a b "},
	} {
		if got := string(sealed.Bytes(roomtest.MustSecret(t, test.raw))); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	for name, raw := range map[string]string{
		"two newlines": "abcdef\n\n", "two lines": "abc\ndef", "lone return": "abcdef\r", "blanks": " \t ", "blank line": "  \n",
		"empty": "", "newline alone": "\n", "NUL": "a\x00b", "not UTF-8": "\xff\xfea", "too large": strings.Repeat("x", sealed.MaxBytes+1),
	} {
		_, err := sealed.New([]byte(raw))
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	}
}

func TestSecretIsACopy(t *testing.T) {
	t.Parallel()
	raw := []byte("abcdef")
	secret, err := sealed.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if !secret.Equal(roomtest.MustSecret(t, "abcdef")) || secret.Equal(roomtest.MustSecret(t, "abcdeg")) || secret.Equal(sealed.Secret{}) {
		t.Error("Equal is wrong, or the secret changed with the caller's bytes")
	}
	if !(sealed.Secret{}).Empty() || secret.Empty() {
		t.Error("Empty is wrong")
	}
}
