package azurekeyvault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mcp-partner/internal/keyvaulttest"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func wantValue(t *testing.T, b *Backend, name, value string) string {
	t.Helper()
	item, err := b.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("getting %s: %v", name, err)
	}
	if string(item.Value) != value {
		t.Fatalf("the backend gives %q for %s, want %q", item.Value, name, value)
	}
	return item.Version
}

func TestSecretLifecycle(t *testing.T) {
	t.Parallel()
	k := keyvaulttest.New(t)
	by := &signIn{}
	b := open(t, k, by)
	none := wantValue(t, b, "contoso", "")
	if err := b.Put(t.Context(), "contoso", []byte("first"), none); err != nil {
		t.Fatal(err)
	}
	first := wantValue(t, b, "contoso", "first")
	item, err := b.Get(t.Context(), "contoso")
	if err != nil || item.ExpiresAt.Year() != 2030 || item.UpdatedAt.Year() != 2023 {
		t.Errorf("times are %s and %s, %v", item.UpdatedAt, item.ExpiresAt, err)
	}
	k.Set("mcp-partner-contoso", "second")
	roomtest.WantCode(t, b.Put(t.Context(), "contoso", []byte("late"), first), problems.CodeStateMoved)
	wantValue(t, b, "contoso", "second")
	k.Set("somebody-elses", "x")
	k.Set("mcp-partner-fabrikam", "y")
	names, err := b.List(t.Context())
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"contoso", "fabrikam"}) {
		t.Errorf("the list is %v, %v", names, err)
	}
	for range 2 { // the second time there is nothing any more
		if err := b.Delete(t.Context(), "contoso"); err != nil {
			t.Fatal(err)
		}
	}
	roomtest.WantCode(t, b.Put(t.Context(), "contoso", []byte("again"), ""), problems.CodeVaultUnavailable, "still keeps a deleted secret", "purge")
	if len(by.asked) == 0 || by.asked[0].Scopes[0] != rightScope {
		t.Errorf("tokens were asked for %v", by.asked)
	}
}

// The secret of a certificate that Key Vault keeps is a PFX file in base64.
func TestCertificateOfKeyVault(t *testing.T) {
	t.Parallel()
	k := keyvaulttest.New(t)
	b := open(t, k, &signIn{})
	k.Issue("mcp-partner-app", base64.StdEncoding.EncodeToString([]byte{0x30, 0x82, 0, 0xff}))
	wantValue(t, b, "app", "\x30\x82\x00\xff")
	k.Issue("mcp-partner-app", "no base64")
	_, err := b.Get(t.Context(), "app")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
}

// The server asks for a token for another audience. None is requested, and none
// is sent.
func TestChallengeOfAnotherAudience(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*keyvaulttest.Vault){
		"another audience": func(k *keyvaulttest.Vault) { k.Resource = "https://management.azure.com" },
		"another tenant": func(k *keyvaulttest.Vault) {
			k.Authority = "https://login.microsoftonline.com/44444444-2222-4333-8444-555555555555"
		},
		"no authority": func(k *keyvaulttest.Vault) { k.Authority = "x" },
		"nothing":      func(k *keyvaulttest.Vault) { k.Authority, k.Resource = "", "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyvaulttest.New(t)
			change(k)
			by := &signIn{}
			_, err := open(t, k, by).Get(t.Context(), "one")
			roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
			if len(by.asked) > 0 || k.Sent(goodToken) {
				t.Errorf("a token was asked for (%v) or sent", by.asked)
			}
		})
	}
}

func TestFailedSignInShowsNothing(t *testing.T) {
	t.Parallel()
	k := keyvaulttest.New(t)
	_, err := open(t, k, &signIn{err: errors.New("request body: client_assertion=CANARY")}).Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "sign-in to the key vault with azure-cli failed")
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), "CANARY") {
		t.Errorf("the error of the sign-in comes out: %v", err)
	}
}

// TestHostileServers has each method meet each kind of answer that no key vault
// gives. Nothing of it may come out.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-0123456789"
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"error":{"code":"%s","message":%q}}`, canary, canary+r.Header.Get("Authorization")+string(body))
	}
	for name, answer := range map[string]http.HandlerFunc{
		"html":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>"+canary) },
		"html 404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); fmt.Fprint(w, "<html>"+canary) },
		"echo 400": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); echo(w, r) },
		"echo 403": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403); echo(w, r) },
		"echo 404": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); echo(w, r) },
		"echo 501": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(501); echo(w, r) },
		"cut off":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":"`+canary) },
		"no ID":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":"`+canary+`"}`) },
		"throttled": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(canary, 200_000)) // the client hangs up
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyvaulttest.New(t)
			k.Answers(answer)
			b := open(t, k, &signIn{})
			_, getting := b.Get(t.Context(), "one")
			_, listing := b.List(t.Context())
			for doing, err := range map[string]error{"get": getting, "list": listing, "put": b.Put(t.Context(), "one", []byte("v"), "")} {
				if err == nil {
					if name != "no ID" || doing != "list" { // an object without a list is an empty one
						t.Errorf("%s: no error", doing)
					}
					continue
				}
				if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "CANARY") || strings.Contains(text, goodToken) {
					t.Errorf("%s: what the server said comes out: %v", doing, err)
				}
				if code := problems.As(err).Code; code != problems.CodeVaultUnavailable {
					t.Errorf("%s: %s", doing, err)
				}
			}
		})
	}
}

// A filter in front of a key vault is not the key vault that refuses.
func TestIntermediaryBeforeKeyVaultIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status     int
		body, says string
	}{
		"key vault": {
			status: 403, body: `{"error":{"code":"Forbidden","message":"The user does not have secrets get permission."}}`,
			says: "does not allow",
		},
		"filter":  {status: 403, body: "<html>blocked</html>", says: "Something other than a key vault answers"},
		"gateway": {status: 404, body: "not here", says: "Something other than a key vault answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyvaulttest.New(t)
			k.Answers(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			_, err := open(t, k, &signIn{}).Get(t.Context(), "one")
			roomtest.WantCode(t, err, problems.CodeVaultUnavailable, test.says)
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var landed atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { landed.Add(1) }))
	t.Cleanup(thief.Close)
	k := keyvaulttest.New(t)
	b := open(t, k, &signIn{})
	for _, code := range []int{301, 302, 307, 308} {
		k.Answers(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, code) })
		_, err := b.Get(t.Context(), "one")
		roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "elsewhere, which is not followed")
	}
	k.Answers(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"value":[],"nextLink":"%s/secrets"}`, thief.URL)
	})
	_, err := b.List(t.Context())
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
	if landed.Load() > 0 {
		t.Errorf("%d requests went to another host", landed.Load())
	}
}

func TestUnreachableKeyVault(t *testing.T) {
	t.Parallel()
	k := keyvaulttest.New(t)
	b := open(t, k, &signIn{})
	k.Close()
	_, err := b.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "cannot be reached")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Get(ctx, "one")
	roomtest.WantCode(t, err, problems.CodeCancelled)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := Settings{URL: "https://contoso.vault.azure.net/", Auth: Auth{Method: MethodManagedIdentity}}
	if s, err := good.Normal(); err != nil || s.URL != "https://contoso.vault.azure.net" || s.Prefix != "mcp-partner-" {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, change := range map[string]func(*Settings){
		"plain http":   func(s *Settings) { s.URL = "http://contoso.vault.azure.net" },
		"another host": func(s *Settings) { s.URL = "https://contoso.vault.azure.net.example.com" },
		"no name":      func(s *Settings) { s.URL = "https://.vault.azure.net" },
		"two names":    func(s *Settings) { s.URL = "https://a.b.vault.azure.net" },
		"a path":       func(s *Settings) { s.URL = "https://contoso.vault.azure.net/secrets" },
		"a user":       func(s *Settings) { s.URL = "https://u@contoso.vault.azure.net" },
		"a name":       func(s *Settings) { s.URL = "https://localhost:1" },
		"prefix":       func(s *Settings) { s.Prefix = "a/b" },
		"no method":    func(s *Settings) { s.Auth.Method = "" },
		"client ID":    func(s *Settings) { s.Auth.ClientID = "me" },
		"no token file": func(s *Settings) {
			s.Auth = Auth{Method: MethodWorkloadIdentity, ClientID: tenantID, TenantID: tenantID}
		},
		"no az": func(s *Settings) { s.Auth = Auth{Method: MethodAzureCLI, TenantID: tenantID} },
	} {
		s := good
		change(&s)
		if _, err := s.Normal(); err == nil || problems.As(err).Code != problems.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
