// Package roomtest is what the tests of tenants, vault and signin share.
package roomtest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

const (
	// ClientID is the ID of an application.
	ClientID = "0c1b2a39-1111-4222-8333-444455556666"
	// Canary is a secret that has characters that change in every encoding.
	Canary = `Zq8~can"ary+/ &=sécret`
)

// TenantID returns the GUID of the nth tenant.
func TenantID(n int) string { return fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", n) }

// WantCode fails unless err is a problem of that code that says the words.
func WantCode(tb testing.TB, err error, code problems.Code, words ...string) *problems.Problem {
	tb.Helper()
	problem, ok := err.(*problems.Problem)
	if !ok {
		tb.Fatalf("error is %T (%v), want a problem %s", err, err, code)
	}
	if problem.Code != code {
		tb.Fatalf("problem is %s (%s), want %s", problem.Code, problem.Message, code)
	}
	for _, word := range words {
		if text := problem.Message + " " + problem.Hint; !strings.Contains(text, word) {
			tb.Errorf("%q does not say %q", text, word)
		}
	}
	return problem
}

// WantNoLeak fails if the secret, or what else must not be shown, is in a text.
func WantNoLeak(tb testing.TB, also string, texts ...string) {
	tb.Helper()
	forms := canaryForms()
	if also != "" {
		forms = append(forms, also)
	}
	for _, text := range texts {
		for _, form := range forms {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				tb.Errorf("leak in %q", text)
			}
		}
	}
}

// canaryForms are how an answer could repeat a request with the Canary: plain,
// form-encoded, in a path, as JSON, base64 or hexadecimal.
func canaryForms() []string {
	raw := []byte(Canary)
	quoted, _ := json.Marshal(Canary)
	return []string{
		Canary, url.QueryEscape(Canary), url.PathEscape(Canary), strings.Trim(string(quoted), `"`),
		base64.RawStdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), hex.EncodeToString(raw),
	}
}

// StateDir returns the path of a state directory that is not there yet.
func StateDir(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "state")
}

// MachineResource returns the resource ID of a managed identity.
func MachineResource() string {
	return "/subscriptions/0c1b2a39-2222-4222-8333-000000000001/resourceGroups/ops/providers/Microsoft.ManagedIdentity/userAssignedIdentities/partner"
}

// MustSecret makes a secret.
func MustSecret(tb testing.TB, text string) sealed.Secret {
	tb.Helper()
	secret, err := sealed.New([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// MoveBehindLink moves a file away and leaves a symbolic link to it.
func MoveBehindLink(dir, name string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
}
