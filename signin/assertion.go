package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

const (
	// assertionAudience is whom the assertions of a workload identity are for.
	assertionAudience = "api://AzureADTokenExchange"
	githubURL         = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken       = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	// assertionMargin is how long an assertion must last to be used again.
	assertionMargin = time.Minute
	githubLimit     = 10 * time.Second
)

// assertions gets the assertions of workload identities. One of GitHub is used
// for all tenants until shortly before it ends; a file is read at each sign-in,
// so that a token which was replaced is seen at once.
type assertions struct {
	now  func() time.Time
	pool *httpclient.Pool

	mu     sync.Mutex
	github vault.Secret
	until  time.Time
}

func (a *assertions) get(ctx context.Context, t target) (vault.Secret, *problems.Problem) {
	if t.credential.AssertionSource == tenants.AssertionGitHub {
		return a.fromGitHub(ctx, t)
	}
	return assertionFile(t)
}

func assertionFile(t target) (vault.Secret, *problems.Problem) {
	// Platforms project such tokens so that every process of the container can
	// read them; only who can write one matters here.
	raw, err := disk.ReadTrusted(t.credential.TokenFile, disk.Unchanged, vault.MaxSecretBytes)
	defer clear(raw)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return vault.Secret{}, t.noAssertion("There is no token file "+t.credential.TokenFile, "Check that the platform projects its token there (in Kubernetes: the service account's projected volume, with the audience "+assertionAudience+").")
	case err != nil:
		return vault.Secret{}, t.noAssertion("The token file "+t.credential.TokenFile+" cannot be read", "Check that this account may read the file.")
	}
	return t.asAssertion(raw, "The token file "+t.credential.TokenFile)
}

// asAssertion checks that it has the form of a JWT: what is no assertion is not
// sent anywhere.
func (t target) asAssertion(raw []byte, from string) (vault.Secret, *problems.Problem) {
	value := bytes.TrimSpace(raw)
	if bytes.Count(value, []byte(".")) != 2 || bytes.ContainsAny(value, " \t\r\n\x00") {
		return vault.Secret{}, t.noAssertion(from+" holds no token", "Check that it contains one JWT.")
	}
	return sealed.Seal(bytes.Clone(value)), nil
}

func (t target) noAssertion(what, hint string) *problems.Problem {
	return problems.New(problems.CodeSignInUnavailable,
		fmt.Sprintf("%s. The credential %s of tenant %s needs it; nothing was sent to Entra ID.", what, t.credential.Name, t.tenant),
		problems.WithHint("%s", hint))
}

// fromGitHub holds the lock across its request, so that a run over many tenants
// asks once.
func (a *assertions) fromGitHub(ctx context.Context, t target) (vault.Secret, *problems.Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.github.Empty() && a.now().Before(a.until) {
		return a.github, nil
	}
	fresh, problem := a.askGitHub(ctx, t)
	if problem != nil {
		return vault.Secret{}, problem
	}
	a.github, a.until = fresh, expiryOfJWT(sealed.Bytes(fresh)).Add(-assertionMargin)
	return fresh, nil
}

func (a *assertions) askGitHub(ctx context.Context, t target) (vault.Secret, *problems.Problem) {
	where, err := githubEndpoint()
	if err != nil {
		return vault.Secret{}, t.noAssertion(err.Error(), "Run this in a job of GitHub Actions that has the permission id-token: write.")
	}
	client, _ := a.pool.Client(nil) // fails for no CA bundle but a broken one
	ctx, cancel := context.WithTimeout(ctx, githubLimit)
	defer cancel()
	request := &http.Request{Method: http.MethodGet, URL: where, Header: http.Header{
		"Authorization": {"Bearer " + os.Getenv(githubToken)}, "Accept": {"application/json"},
	}}
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return vault.Secret{}, t.noAssertion("GitHub's token endpoint cannot be reached", "Check network, proxy and TLS.")
	}
	return t.githubAnswer(response)
}

func (t target) githubAnswer(response *http.Response) (vault.Secret, *problems.Problem) {
	body, err := readAnswer(response)
	defer clear(body)
	if err != nil || response.StatusCode != http.StatusOK {
		return vault.Secret{}, t.noAssertion(fmt.Sprintf("GitHub's token endpoint answered with status %d", response.StatusCode), "Check that the job has the permission id-token: write.")
	}
	var answer struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(body, &answer) != nil {
		answer.Value = ""
	}
	return t.asAssertion([]byte(answer.Value), "GitHub's token endpoint")
}

// githubEndpoint is the URL that the job's environment names, with the audience
// of Entra ID. Plain HTTP is for loopback alone: the request carries a token.
func githubEndpoint() (*url.URL, error) {
	u, err := url.Parse(os.Getenv(githubURL))
	switch {
	case os.Getenv(githubURL) == "" || os.Getenv(githubToken) == "":
		return nil, errors.New("GitHub's token endpoint is missing from the environment (" + githubURL + " and " + githubToken + ")")
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !httpclient.IsLoopback(u.Hostname())):
		return nil, errors.New("GitHub's token endpoint is not an https URL (" + githubURL + ")")
	}
	query := u.Query()
	query.Set("audience", assertionAudience)
	u.RawQuery = query.Encode()
	return u, nil
}

// expiryOfJWT reads when a token ends; one that does not say so has ended.
func expiryOfJWT(token []byte) time.Time {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(string(token), &claims); err != nil || claims.ExpiresAt == nil {
		return time.Time{}
	}
	return claims.ExpiresAt.Time
}
