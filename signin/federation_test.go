package signin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

const podSubject = "system:serviceaccount:partner:mcp"

// federated is a world whose application trusts a cluster.
func federated(t *testing.T, count int) (w *world, issuer *simulator.Issuer, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "token")
	w = newWorld(t, count, tenants.CredentialConfig{Kind: tenants.KindWorkloadIdentity, AssertionSource: tenants.AssertionFile, TokenFile: file})
	issuer, err := w.sim.NewIssuer("https://cluster.example/oidc")
	if err != nil {
		t.Fatal(err)
	}
	w.sim.Federate(simulator.Federation{Issuer: issuer, Subject: podSubject})
	return w, issuer, file
}

func project(t *testing.T, issuer *simulator.Issuer, file, subject, audience string, life time.Duration) {
	t.Helper()
	token, err := issuer.Token(subject, audience, life)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The file is read at each sign-in, so that a token which the platform replaced
// is used at once.
func TestWorkloadIdentityRereadsTokenFile(t *testing.T) {
	t.Parallel()
	w, issuer, file := federated(t, 2)
	project(t, issuer, file, podSubject, simulator.TokenExchangeAudience, 10*time.Minute)
	if got, want := w.accepted("contoso"), w.sim.Tenants()[0].ObjectID; got != want {
		t.Errorf("acts as %s, want %s", got, want)
	}
	w.clock.Advance(30 * time.Minute)
	_, err := w.token("fabrikam")
	problem := roomtest.WantCode(t, err, problems.CodeCredentialExpired)
	if !strings.Contains(problem.Hint, file) {
		t.Errorf("hint %q does not name the file", problem.Hint)
	}
	project(t, issuer, file, podSubject, simulator.TokenExchangeAudience, 10*time.Minute)
	w.accepted("fabrikam")
}

func TestMismatchedFederationNamesClaim(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		subject, audience, issuer string
		says                      string
	}{
		"another subject":  {subject: "system:serviceaccount:other:mcp", audience: simulator.TokenExchangeAudience, says: "its subject"},
		"another audience": {subject: podSubject, audience: "https://kubernetes.default.svc", says: "its audience"},
		"another issuer": {
			subject: podSubject, audience: simulator.TokenExchangeAudience, issuer: "https://elsewhere.example", says: "its issuer",
		},
		"a key other than": {
			subject: podSubject, audience: simulator.TokenExchangeAudience, issuer: "https://cluster.example/oidc",
			says: "does not accept the assertion",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, issuer, file := federated(t, 1)
			if test.issuer != "" {
				var err error
				if issuer, err = w.sim.NewIssuer(test.issuer); err != nil {
					t.Fatal(err)
				}
			}
			project(t, issuer, file, test.subject, test.audience, time.Hour)
			_, err := w.token("contoso")
			if problem := roomtest.WantCode(t, err, problems.CodeCredentialRejected); !strings.Contains(problem.Message, test.says) {
				t.Errorf("message %q, want %q", problem.Message, test.says)
			}
		})
	}
}

func TestTokenFileWithoutToken(t *testing.T) {
	t.Parallel()
	w, _, file := federated(t, 1)
	_, err := w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	for _, text := range []string{"", "\n", "one line", "a.b.c\nd.e.f", "a.b", strings.Repeat("a", vault.MaxSecretBytes) + ".b.c"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := w.token("contoso")
		problem := roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
		if strings.Contains(problem.Message+problem.Hint, "one line") && text == "one line" {
			t.Errorf("the content is told: %q", problem.Message)
		}
	}
	if got := w.sim.Stats().TokenRequests; got != 0 {
		t.Errorf("%d requests with something that is no token", got)
	}
}

// A job of GitHub Actions: its OIDC endpoint is asked once for many tenants,
// and again when the token is about to end.
func TestGitHubActions(t *testing.T) {
	const subject, bearer = "repo:contoso/partner:ref:refs/heads/main", "runner-bearer"
	w := newWorld(t, 8, tenants.CredentialConfig{Kind: tenants.KindWorkloadIdentity, AssertionSource: tenants.AssertionGitHub})
	issuer, err := w.sim.NewIssuer("https://token.actions.githubusercontent.com")
	if err != nil {
		t.Fatal(err)
	}
	w.sim.Federate(simulator.Federation{Issuer: issuer, Subject: subject})
	counted := &counting{next: gitHubJob(issuer, subject, bearer)}
	github := httptest.NewServer(counted)
	t.Cleanup(github.Close)

	t.Setenv(githubURL, "")
	_, err = w.token("contoso")
	if problem := roomtest.WantCode(t, err, problems.CodeSignInUnavailable); !strings.Contains(problem.Hint, "id-token: write") {
		t.Errorf("hint %q", problem.Hint)
	}
	t.Setenv(githubURL, github.URL+"/token?api-version=2.0")
	t.Setenv(githubToken, "wrong")
	_, err = w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	t.Setenv(githubToken, bearer)
	before := counted.n.Load()
	tenants := w.sim.Tenants()
	for _, tenant := range tenants[:6] {
		w.accepted(tenant.Name)
	}
	if got := counted.n.Load() - before; got != 1 {
		t.Errorf("GitHub was asked %d times for 6 tenants, want once", got)
	}
	w.clock.Advance(10 * time.Minute)
	w.accepted(tenants[6].Name)
	if got := counted.n.Load() - before; got != 2 {
		t.Errorf("GitHub was asked %d times after its token ended, want twice", got)
	}
	t.Setenv(githubURL, "http://token.example.com/")
	w.clock.Advance(10 * time.Minute)
	_, err = w.token(tenants[7].Name)
	if problem := roomtest.WantCode(t, err, problems.CodeSignInUnavailable); !strings.Contains(problem.Message, "not an https URL") {
		t.Errorf("message %q", problem.Message)
	}
}

// gitHubJob is the OIDC endpoint of a GitHub Actions job: it gives tokens for a
// subject to the holder of the bearer.
func gitHubJob(issuer *simulator.Issuer, subject, bearer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bearer {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		token, err := issuer.Token(subject, r.URL.Query().Get("audience"), 5*time.Minute)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"count": len(token), "value": token}) // the client may have disconnected
	})
}
