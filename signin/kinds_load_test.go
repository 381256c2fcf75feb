package signin

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// everyKind makes a world for each kind that presents something to Entra ID,
// ready to sign in.
func everyKind(t *testing.T, count int, each func(t *testing.T, w *world)) {
	t.Helper()
	for _, kind := range []tenants.Kind{tenants.KindClientSecret, tenants.KindClientCertificate, tenants.KindWorkloadIdentity, tenants.KindDeviceCode, tenants.KindBrowser} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			each(t, ready(t, kind, count))
		})
	}
}

func ready(t *testing.T, kind tenants.Kind, count int) *world {
	t.Helper()
	config := tenants.CredentialConfig{Kind: kind}
	if kind == tenants.KindWorkloadIdentity {
		config.AssertionSource, config.TokenFile = tenants.AssertionFile, filepath.Join(t.TempDir(), "token")
	}
	w := newWorld(t, count, config)
	switch kind {
	case tenants.KindClientSecret:
		secret, err := vault.NewSecret([]byte(w.sim.ClientSecret()))
		if err != nil {
			t.Fatal(err)
		}
		w.put(secret)
	case tenants.KindClientCertificate:
		key := rsaKey(t, 0)
		issued := certificate(t, key, year())
		w.sim.RegisterCertificate(issued)
		w.put(stored(t, pemOf(t, key, issued), ""))
	case tenants.KindWorkloadIdentity:
		issuer, err := w.sim.NewIssuer("https://cluster.example/oidc")
		if err != nil {
			t.Fatal(err)
		}
		w.sim.Federate(simulator.Federation{Issuer: issuer, Subject: podSubject})
		project(t, issuer, config.TokenFile, podSubject, simulator.TokenExchangeAudience, 24*time.Hour)
	default:
		var names []string
		for _, tenant := range w.sim.Tenants() {
			names = append(names, tenant.Name)
		}
		if _, err := w.sim.AddUser(alice, names[0], names[1:]...); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.SignInBrowser(alice); err != nil {
			t.Fatal(err)
		}
		w.login(t)
	}
	return w
}

// A thousand callers make one token request, and so does the refresh.
func TestThousandCallersOfEveryKind(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Load)
	everyKind(t, 1, func(t *testing.T, w *world) {
		crowd := func() {
			var group sync.WaitGroup
			for range 1000 {
				group.Go(func() {
					if _, err := w.token("contoso"); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			w.signIns.Running.Wait()
		}
		before := w.sim.Stats().TokenRequests
		crowd()
		if got := w.sim.Stats().TokenRequests - before; got != 1 {
			t.Errorf("1000 callers made %d token requests, want 1", got)
		}
		w.clock.Advance(56 * time.Minute)
		crowd()
		if got := w.sim.Stats().TokenRequests - before; got != 2 {
			t.Errorf("after the refresh there were %d token requests, want 2", got)
		}
	})
}

// Whatever the token endpoint answers, no proof of a credential is sent on or
// appears in the problem.
func TestNoCredentialKindFollowsRedirects(t *testing.T) {
	t.Parallel()
	var landed atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { landed.Add(1) }))
	t.Cleanup(thief.Close)
	everyKind(t, 1, func(t *testing.T, w *world) {
		w.answer(http.RedirectHandler(thief.URL+"/steal", http.StatusTemporaryRedirect).ServeHTTP)
		_, err := w.token("contoso")
		roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	})
	t.Cleanup(func() {
		if landed.Load() != 0 {
			t.Errorf("%d requests followed a redirect", landed.Load())
		}
	})
}

// Echoes of a server that repeats the request are not shown.
func TestRepeatedProofsAreDropped(t *testing.T) {
	t.Parallel()
	everyKind(t, 1, func(t *testing.T, w *world) {
		var sent atomic.Value
		w.answer(func(rw http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			proof := r.PostForm.Get("client_secret") + r.PostForm.Get("client_assertion") + r.PostForm.Get("refresh_token")
			sent.Store(proof)
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = rw.Write([]byte(`{"error":"invalid_request","error_description":"AADSTS900144: not understood: ` + proof + `","error_codes":[900144]}`))
		})
		_, err := w.token("contoso")
		problem := roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
		proof, _ := sent.Load().(string)
		if len(proof) < 20 {
			t.Fatalf("nothing was presented: %q", proof)
		}
		if text := problem.Message + problem.Hint + problem.Foreign; strings.Contains(text, proof[:20]) {
			t.Errorf("the problem shows it: %s", text)
		}
	})
}

// Environment variables of the identity SDK redirect no kind.
func TestEnvironmentRedirectsNoCredentialKind(t *testing.T) {
	for _, name := range []string{"AZURE_REGIONAL_AUTHORITY_NAME", "MSAL_FORCE_REGION"} {
		t.Setenv(name, "westus2")
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1/")
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", os.DevNull)
	for _, kind := range []tenants.Kind{tenants.KindClientSecret, tenants.KindClientCertificate, tenants.KindWorkloadIdentity, tenants.KindDeviceCode} {
		w := ready(t, kind, 1)
		w.accepted("contoso")
	}
}
