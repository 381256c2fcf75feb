package signin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
)

// counting counts the requests that a handler gets.
type counting struct {
	next http.Handler
	n    atomic.Int32
	last atomic.Pointer[url.URL]
}

// ServeHTTP implements http.Handler.
func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.n.Add(1)
	c.last.Store(r.URL)
	c.next.ServeHTTP(w, r)
}

const (
	machineClient = "0c1b2a39-2222-4222-8333-000000000001"
	machineObject = "0c1b2a39-2222-4222-8333-000000000002"
	systemClient  = "0c1b2a39-2222-4222-8333-000000000003"
	systemObject  = "0c1b2a39-2222-4222-8333-000000000004"
)

// onMachine is a world on a machine in Azure: requests to the address of the
// metadata service reach the simulator's.
func onMachine(t *testing.T, config tenants.CredentialConfig) (*world, *counting) {
	t.Helper()
	service := &counting{}
	listener := httptest.NewServer(service)
	t.Cleanup(listener.Close)
	there := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, listener.Listener.Addr().String())
	}
	w := newWorld(t, 2, config)
	w.metadata = &http.Client{Transport: &http.Transport{DialContext: there}, CheckRedirect: metadataClient().CheckRedirect}
	service.next = w.sim.MetadataHandler()
	for _, m := range []simulator.ManagedIdentity{
		{Tenant: "contoso", ClientID: systemClient, ObjectID: systemObject},
		{Tenant: "contoso", ClientID: machineClient, ObjectID: machineObject, ResourceID: roomtest.MachineResource()},
	} {
		if err := w.sim.AddManagedIdentity(m); err != nil {
			t.Fatal(err)
		}
	}
	return w, service
}

func clearIdentityVariables(t *testing.T) {
	t.Helper()
	for _, name := range IdentityVariables() {
		t.Setenv(name, "")
	}
}

func TestManagedIdentityOfAMachine(t *testing.T) {
	clearIdentityVariables(t)
	for name, test := range map[string]struct {
		config tenants.CredentialConfig
		object string
	}{
		"system-assigned": {tenants.CredentialConfig{}, systemObject}, "by client ID": {tenants.CredentialConfig{ClientID: machineClient}, machineObject},
		"by resource ID": {tenants.CredentialConfig{ResourceID: roomtest.MachineResource()}, machineObject}, "by object ID": {tenants.CredentialConfig{ObjectID: machineObject}, machineObject},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Kind = tenants.KindManagedIdentity
			w, service := onMachine(t, test.config)
			if got := w.accepted("contoso"); got != test.object {
				t.Errorf("acts as %s, want %s", got, test.object)
			}
			if got := service.last.Load().Query().Get("resource"); got != w.sim.Audience() {
				t.Errorf("the token was asked for %q", got)
			}
			if _, err := w.tokenWith("contoso", `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`); err != nil || service.n.Load() != 2 {
				t.Errorf("after a challenge %d requests (%v), want a second one past every cache", service.n.Load(), err)
			}
		})
	}
}

func TestManagedIdentityOfAppService(t *testing.T) {
	w := newWorld(t, 2, tenants.CredentialConfig{Kind: tenants.KindManagedIdentity, ClientID: machineClient})
	if err := w.sim.AddManagedIdentity(simulator.ManagedIdentity{Tenant: "contoso", ClientID: machineClient, ObjectID: machineObject, ResourceID: roomtest.MachineResource()}); err != nil {
		t.Fatal(err)
	}
	endpoint := httptest.NewServer(w.sim.MetadataHandler())
	t.Cleanup(endpoint.Close)
	clearIdentityVariables(t)
	t.Setenv("IDENTITY_ENDPOINT", endpoint.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", w.sim.IdentityHeader())
	if got := w.accepted("contoso"); got != machineObject {
		t.Errorf("acts as %s, want %s", got, machineObject)
	}
	w.clock.Advance(2 * time.Hour)
	t.Setenv("IDENTITY_HEADER", "another")
	_, err := w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeCredentialRejected)
}

// A machine's identity exists in one tenant: asked for another, nobody is asked.
func TestManagedIdentityIsRefusedForAnotherTenant(t *testing.T) {
	clearIdentityVariables(t)
	w, service := onMachine(t, tenants.CredentialConfig{Kind: tenants.KindManagedIdentity})
	_, err := w.token("fabrikam")
	problem := roomtest.WantCode(t, err, problems.CodeWrongTenant)
	if !strings.Contains(problem.Message, "nothing was sent") || service.n.Load() != 0 {
		t.Errorf("%d requests, message %q", service.n.Load(), problem.Message)
	}
}

// The identity SDK passes such a variable over and asks somewhere else.
func TestManagedIdentityRefusesAnEndpointWithoutItsPlatform(t *testing.T) {
	w := newWorld(t, 2, tenants.CredentialConfig{Kind: tenants.KindManagedIdentity})
	clearIdentityVariables(t)
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token")
	_, err := w.token("contoso")
	if p := roomtest.WantCode(t, err, problems.CodeSignInUnavailable); !strings.Contains(p.Message, "without IDENTITY_HEADER") {
		t.Errorf("message %q", p.Message)
	}
}

func TestMissingManagedIdentityIsReported(t *testing.T) {
	clearIdentityVariables(t)
	w, service := onMachine(t, tenants.CredentialConfig{Kind: tenants.KindManagedIdentity, ClientID: "0c1b2a39-2222-4222-8333-000000000009"})
	for range 3 {
		_, err := w.token("contoso")
		problem := roomtest.WantCode(t, err, problems.CodeCredentialRejected)
		if problem.Foreign != "" || !strings.Contains(problem.Message, "the metadata service of the machine (169.254.169.254)") || !strings.Contains(problem.Hint, "Assign the identity") {
			t.Errorf("problem is %+v", problem)
		}
	}
	if got := service.n.Load(); got != 1 {
		t.Errorf("the endpoint was asked %d times, want once", got)
	}
}

// Elsewhere than in Azure nothing answers.
func TestMissingMetadataServiceIsReported(t *testing.T) {
	clearIdentityVariables(t)
	nowhere := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
	}
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindManagedIdentity})
	w.metadata = &http.Client{Transport: &http.Transport{DialContext: nowhere}}
	_, err := w.token("contoso")
	problem := roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	if !strings.Contains(problem.Message, "the metadata service of the machine (169.254.169.254) does not answer") || !strings.Contains(problem.Hint, "machines in Azure") {
		t.Errorf("problem is %+v", problem)
	}
}

// The endpoint of the machine must not send its header on to somebody else.
func TestManagedIdentityFollowsNoRedirect(t *testing.T) {
	clearIdentityVariables(t)
	var landed atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { landed.Add(1) }))
	t.Cleanup(thief.Close)
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindManagedIdentity})
	endpoint := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	t.Cleanup(endpoint.Close)
	t.Setenv("IDENTITY_ENDPOINT", endpoint.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", "header")
	_, err := w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeSignInUnavailable)
	if landed.Load() != 0 {
		t.Error("the redirect was followed")
	}
}
