package signin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/internal/flight"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

func TestTokenRequestOnTheWire(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	first := r.must(0)
	if again := r.must(0); again != first {
		t.Error("the second call got another token")
	}
	if got := r.entra.requests(); got != 1 {
		t.Fatalf("%d requests, want the token request alone: %v", got, r.entra.paths)
	}
	if want := "POST /" + roomtest.TenantID(0) + "/oauth2/v2.0/token"; r.entra.paths[0] != want {
		t.Errorf("request is %s, want %s", r.entra.paths[0], want)
	}
	form := r.entra.forms[0]
	for field, want := range map[string]string{
		"grant_type": "client_credentials", "client_id": roomtest.ClientID, "client_secret": roomtest.Canary} {
		if got := form.Get(field); got != want {
			t.Errorf("%s is wrong", field)
		}
	}
	if !strings.Contains(form.Get("scope"), "https://management.core.windows.net//.default") {
		t.Errorf("scope is %q", form.Get("scope"))
	}
	if !strings.Contains(form.Get("claims"), `"CP1"`) {
		t.Errorf("claims are %q: CAE is off", form.Get("claims"))
	}
}

func TestConcurrentWaitersShareOneRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	release := r.entra.holdAll()
	var group sync.WaitGroup
	tokens := make([]string, 1000)
	for i := range tokens {
		group.Go(func() { tokens[i], _ = r.get(context.Background(), 0, "") })
	}
	<-r.entra.arrived
	release()
	group.Wait()
	for _, got := range tokens {
		if got == "" || got != tokens[0] {
			t.Fatal("a waiter got no token, or another one")
		}
	}
	if got := r.entra.requests(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestWaiterKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	release := r.entra.holdAll()
	defer release()
	patient := make(chan error, 1)
	go func() { _, err := r.get(context.Background(), 0, ""); patient <- err }()
	<-r.entra.arrived
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := r.get(short, 0, "")
	roomtest.WantCode(t, err, problems.CodeTimeout)
	gone, leave := context.WithCancel(context.Background())
	leave()
	_, err = r.get(gone, 0, "")
	roomtest.WantCode(t, err, problems.CodeCancelled)
	release()
	if err := <-patient; err != nil {
		t.Errorf("the patient waiter got %v", err)
	}
	if got := r.entra.requests(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// The first caller going away must not cost the next one a second request.
func TestSignInOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	release := r.entra.holdAll()
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() { _, err := r.get(ctx, 0, ""); first <- err }()
	<-r.entra.arrived
	cancel()
	roomtest.WantCode(t, <-first, problems.CodeCancelled)
	release()
	r.must(0)
	if got := r.entra.requests(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestWrongSecretIsPresentedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 64)
	var right atomic.Value
	right.Store("another secret")
	r.entra.set(func(tenant string, form url.Values) answer {
		if form.Get("client_secret") != right.Load() {
			return refuse(http.StatusUnauthorized, "invalid_client", "", 7000215)
		}
		return r.entra.token(tenant, time.Hour, 0)
	})
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			_, err := r.get(context.Background(), i, "")
			if problem := problems.As(err); problem == nil || problem.Code != problems.CodeCredentialRejected {
				t.Errorf("tenant %d: %v", i, err)
			}
		})
	}
	group.Wait()
	if got := r.entra.requests(); got != 1 {
		t.Errorf("64 callers in 64 tenants made %d requests with a bad secret, want 1", got)
	}
	r.clock.Advance(refusedFor + time.Second)
	_, err := r.get(context.Background(), 0, "")
	roomtest.WantCode(t, err, problems.CodeCredentialRejected)
	if got := r.entra.requests(); got != 2 {
		t.Errorf("%d requests after the refusal was forgotten, want 2", got)
	}
	r.putSecret("another secret")
	r.must(0)
}

func TestRefusalScopes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		answer  answer
		code    problems.Code
		inOther bool // whether the other tenant is refused too, without a request
		again   int  // requests after a second call in the first tenant
	}{
		{name: "wrong secret", answer: refuse(401, "invalid_client", "", 7000215), code: problems.CodeCredentialRejected, inOther: true, again: 1},
		{name: "expired secret", answer: refuse(401, "invalid_client", "", 7000222), code: problems.CodeCredentialExpired, inOther: true, again: 1},
		{name: "no consent", answer: refuse(400, "unauthorized_client", "", 700016), code: problems.CodeConsentMissing, again: 1},
		{name: "no tenant", answer: refuse(400, "invalid_request", "", 90002), code: problems.CodeTenantNotFound, again: 1},
		{name: "interaction", answer: refuse(400, "interaction_required", "", 50076), code: problems.CodeInteractionRequired, again: 2},
		{
			name: "redirect", answer: answer{307, http.Header{"Location": {"https://127.0.0.1:1/"}}, ""},
			code: problems.CodeSignInUnavailable, again: 2,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2)
			r.entra.set(func(tenant string, _ url.Values) answer {
				if tenant == roomtest.TenantID(0) {
					return test.answer
				}
				return r.entra.token(tenant, time.Hour, 0)
			})
			for range 2 {
				_, err := r.get(context.Background(), 0, "")
				roomtest.WantCode(t, err, test.code)
			}
			if got := r.entra.requests(); got != test.again {
				t.Errorf("%d requests, want %d", got, test.again)
			}
			_, err := r.get(context.Background(), 1, "")
			if refused := err != nil; refused != test.inOther {
				t.Errorf("the other tenant: %v", err)
			}
		})
	}
}

func TestServerErrorsAreNotRemembered(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	bad := answer{status: http.StatusServiceUnavailable, header: http.Header{"Retry-After": {"60"}}, body: "<html>"}
	r.entra.set(func(string, url.Values) answer { return bad })
	_, err := r.get(context.Background(), 0, "")
	problem := roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	if !problem.Retryable || problem.RetryAfterSeconds != 60 {
		t.Errorf("retryable %t after %d s, want true after 60 s", problem.Retryable, problem.RetryAfterSeconds)
	}
	r.entra.set(nil)
	r.must(0)
}

func TestRedirectOfSignInIsNotFollowed(t *testing.T) {
	t.Parallel()
	var landed atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { landed.Add(1) }))
	t.Cleanup(thief.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		r := newRig(t, 1)
		r.entra.set(func(string, url.Values) answer {
			return answer{status: status, header: http.Header{"Location": {thief.URL + "/steal"}}}
		})
		_, err := r.get(context.Background(), 0, "")
		roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	}
	if landed.Load() != 0 {
		t.Errorf("%d requests followed a redirect", landed.Load())
	}
}

func TestRefreshInTheBackground(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		refreshIn time.Duration
		wait      time.Duration
	}{{name: "at the time that Entra ID names", refreshIn: 30 * time.Minute, wait: 31 * time.Minute},
		{name: "five minutes before the end", wait: 56 * time.Minute}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1)
			r.entra.set(func(tenant string, _ url.Values) answer { return r.entra.token(tenant, time.Hour, test.refreshIn) })
			old := r.must(0)
			<-r.events
			r.clock.Advance(test.wait)
			if got := r.must(0); got != old {
				t.Error("a caller had to wait for the refresh")
			}
			if event := <-r.events; event.Problem != nil {
				t.Errorf("event %+v, want a refresh that succeeded", event)
			}
			r.signIns.Running.Wait()
			if got := r.must(0); got == old {
				t.Error("the refreshed token is not used")
			}
		})
	}
}

func TestFailedRefreshKeepsTheToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	old := r.must(0)
	<-r.events
	r.entra.set(func(string, url.Values) answer { return refuse(401, "invalid_client", "", 7000215) })
	r.clock.Advance(57 * time.Minute)
	for range 3 {
		if got := r.must(0); got != old {
			t.Fatal("the token that is still good is not used")
		}
		r.signIns.Running.Wait()
	}
	if got := r.entra.requests(); got != 2 {
		t.Errorf("%d requests, want one sign-in and one refresh", got)
	}
	r.clock.Advance(3 * time.Minute)
	_, err := r.get(context.Background(), 0, "")
	roomtest.WantCode(t, err, problems.CodeCredentialRejected)
}

func TestClaimsFetchAFreshToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	old := r.must(0)
	challenge := `{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}`
	fresh, err := r.get(context.Background(), 0, challenge)
	if err != nil {
		t.Fatal(err)
	}
	if fresh == old {
		t.Error("the token that was refused came again")
	}
	if claims := r.entra.forms[1].Get("claims"); !strings.Contains(claims, "1700000000") || !strings.Contains(claims, "CP1") {
		t.Errorf("claims on the wire are %q", claims)
	}
	if got := r.must(0); got != fresh {
		t.Error("the fresh token is not the one that is kept")
	}
}

// The whole way: azcore's bearer policy, a 401 with a claims challenge, the
// fresh token.
func TestClaimsChallengeThroughThePipeline(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	var seen []string
	arm := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		seen = append(seen, q.Header.Get("Authorization"))
		if len(seen) == 1 {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7InZhbHVlIjoiMSJ9fX0="`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(arm.Close)
	credential, err := r.Credential(context.Background(), "tenant-0000", "partner")
	if err != nil {
		t.Fatal(err)
	}
	bearer := runtime.NewBearerTokenPolicy(credential, []string{"https://management.core.windows.net//.default"}, nil)
	pipeline := runtime.NewPipeline("test", "v1", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}},
		&policy.ClientOptions{Transport: arm.Client()})
	request, err := runtime.NewRequest(context.Background(), http.MethodGet, arm.URL)
	if err != nil {
		t.Fatal(err)
	}
	response, err := pipeline.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if len(seen) != 2 || seen[0] == seen[1] || response.StatusCode != http.StatusOK {
		t.Errorf("%d requests, status %d", len(seen), response.StatusCode)
	}
}

func TestTokenForAnotherAudienceIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	credential, err := r.Credential(context.Background(), "tenant-0000", "")
	if err != nil {
		t.Fatal(err)
	}
	good := "https://management.core.windows.net//.default"
	for _, options := range []policy.TokenRequestOptions{
		{Scopes: []string{good}, TenantID: roomtest.TenantID(1)},
		{Scopes: []string{"https://graph.microsoft.com/.default"}},
		{Scopes: []string{good, good}},
		{},
	} {
		if _, err := credential.GetToken(context.Background(), options); err == nil {
			t.Errorf("%+v was granted", options)
		}
	}
	if got := r.entra.requests(); got != 0 {
		t.Errorf("%d requests", got)
	}
}

func TestDirectoryChangesTakeEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	ctx := context.Background()
	credential, err := r.Credential(ctx, "tenant-0000", "")
	if err != nil {
		t.Fatal(err)
	}
	options := policy.TokenRequestOptions{Scopes: []string{"https://management.core.windows.net//.default"}}
	ask := func() (azcore.AccessToken, error) { return credential.GetToken(ctx, options) }
	first, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	other := "0c1b2a39-1111-4222-8333-999999999999"
	if err := r.directory.SetCredential(ctx, tenants.CredentialConfig{Name: "partner", Kind: tenants.KindClientSecret, ClientID: other}); err != nil {
		t.Fatal(err)
	}
	second, err := ask()
	if err != nil || second.Token == first.Token || r.entra.forms[1].Get("client_id") != other {
		t.Errorf("the token of the former application is still used (%v)", err)
	}
	if _, err := r.directory.Remove(ctx, "tenant-0000", ""); err != nil {
		t.Fatal(err)
	}
	_, err = ask()
	roomtest.WantCode(t, err, problems.CodeDirectoryEmpty)
}

// Environment variables of the identity SDK name a regional authority. The
// secret goes to the authority of the entry all the same.
func TestEnvironmentCannotRedirect(t *testing.T) {
	for _, name := range []string{"AZURE_REGIONAL_AUTHORITY_NAME", "MSAL_FORCE_REGION"} {
		t.Setenv(name, "westus2")
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1/")
	r := newRig(t, 1)
	r.must(0)
	if got := r.entra.requests(); got != 1 {
		t.Errorf("%d requests at the entry's authority, want 1", got)
	}
}

func TestExchangeStopsStrayRequests(t *testing.T) {
	t.Parallel()
	x := newExchange(http.DefaultClient, target{tenantID: roomtest.TenantID(0), cloud: tenants.Cloud{Authority: "https://login.example.com"}})
	for _, stray := range []struct{ method, url string }{
		{"POST", "https://login.example.com/" + roomtest.TenantID(1) + "/oauth2/v2.0/token"},
		{"POST", "https://westus2.login.example.com/" + roomtest.TenantID(0) + "/oauth2/v2.0/token"},
		{"POST", "http://login.example.com/" + roomtest.TenantID(0) + "/oauth2/v2.0/token"},
		{"GET", "http://169.254.169.254/metadata/instance"},
	} {
		request := httptest.NewRequest(stray.method, stray.url, strings.NewReader("client_secret=x"))
		if _, err := x.Do(request); err != errStrayRequest {
			t.Errorf("%s %s: %v", stray.method, stray.url, err)
		}
	}
	problem := x.problem(target{tenant: "contoso"})
	roomtest.WantCode(t, problem, problems.CodeInternal)
}

func TestPanicInSignInIsContained(t *testing.T) {
	t.Parallel()
	f := flight.New[string, int](context.Background(), time.Minute)
	_, err := f.Do(context.Background(), "a", func(context.Context) (int, error) { panic("canary") })
	if problem := roomtest.WantCode(t, err, problems.CodeInternal); strings.Contains(problem.Message, "canary") {
		t.Errorf("message %q", problem.Message)
	}
	if got, err := f.Do(context.Background(), "a", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("afterwards %d (%v)", got, err)
	}
}

func TestCloseEndsSignIns(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	release := r.entra.holdAll()
	defer release()
	outcome := make(chan error, 1)
	go func() { _, err := r.get(context.Background(), 0, ""); outcome <- err }()
	<-r.entra.arrived
	r.Close()
	roomtest.WantCode(t, <-outcome, problems.CodeCancelled)
}

func TestMissingSecretNamesTenantAndCredential(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	if err := r.store.Delete(context.Background(), "partner"); err != nil {
		t.Fatal(err)
	}
	_, err := r.get(context.Background(), 0, "")
	problem := roomtest.WantCode(t, err, problems.CodeVaultMissing)
	if !strings.Contains(problem.Message, "tenant-0000") || !strings.Contains(problem.Message, "partner") {
		t.Errorf("message %q", problem.Message)
	}
	if len(r.events) != 0 {
		t.Error("an event without a sign-in")
	}
}
