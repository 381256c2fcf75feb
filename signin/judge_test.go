package signin

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
)

// options are those of Microsoft's plain credentials, without a part of this
// package.
func (w *world) plainOptions(t *testing.T) azcore.ClientOptions {
	t.Helper()
	client, err := w.opts.HTTP.Client([]byte(caOf(w.azure)))
	if err != nil {
		t.Fatal(err)
	}
	return azcore.ClientOptions{Transport: client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: w.azure.URL}}
}

func (w *world) judge(t *testing.T, credential azcore.TokenCredential, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{w.sim.Audience() + "/.default"}})
	if err != nil || got.Token == "" {
		t.Errorf("Microsoft's client gets no token: %v", err)
	}
}

// Microsoft's own clients sign in at the simulator by every way that it has.
func TestAzidentityAcceptsTheSimulator(t *testing.T) {
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientSecret})
	tenant := w.sim.Tenants()[0].TenantID
	issuer, err := w.sim.NewIssuer("https://cluster.example/oidc")
	if err != nil {
		t.Fatal(err)
	}
	w.sim.Federate(simulator.Federation{Issuer: issuer, Subject: podSubject})
	assertion, err := issuer.Token(podSubject, simulator.TokenExchangeAudience, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	federated, err := azidentity.NewClientAssertionCredential(tenant, w.sim.ClientID(), func(context.Context) (string, error) { return assertion, nil },
		&azidentity.ClientAssertionCredentialOptions{DisableInstanceDiscovery: true, ClientOptions: w.plainOptions(t)})
	w.judge(t, federated, err)

	if _, err := w.sim.AddUser(alice, "contoso"); err != nil {
		t.Fatal(err)
	}
	byCode, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{TenantID: tenant, DisableInstanceDiscovery: true, ClientOptions: w.plainOptions(t),
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			return w.sim.ApproveDevice(m.UserCode, alice)
		}})
	w.judge(t, byCode, err)

	if err := w.sim.AddManagedIdentity(simulator.ManagedIdentity{Tenant: "contoso", ClientID: machineClient, ObjectID: machineObject}); err != nil {
		t.Fatal(err)
	}
	machine := httptest.NewServer(w.sim.MetadataHandler())
	t.Cleanup(machine.Close)
	clearIdentityVariables(t)
	t.Setenv("IDENTITY_ENDPOINT", machine.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", w.sim.IdentityHeader())
	managed, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ID: azidentity.ClientID(machineClient)})
	w.judge(t, managed, err)
}

// Whatever kind lacks consent, the problem has the page at which the tenant's
// administrator gives it.
func TestMissingConsentOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, kind := range []tenants.Kind{tenants.KindClientSecret, tenants.KindClientCertificate, tenants.KindWorkloadIdentity} {
		w := ready(t, kind, 1)
		if err := w.sim.SetConsent("contoso", false); err != nil {
			t.Fatal(err)
		}
		_, err := w.token("contoso")
		problem := roomtest.WantCode(t, err, problems.CodeConsentMissing)
		if page := w.azure.URL + "/" + w.sim.Tenants()[0].TenantID + "/adminconsent?client_id=" + w.sim.ClientID(); !strings.Contains(problem.Hint, page) {
			t.Errorf("%s: hint %q has no %s", kind, problem.Hint, page)
		}
	}
	x := &exchange{tries: 1, status: 400, body: []byte(`{"error":"invalid_grant","error_codes":[65001],"suberror":"consent_required"}`)}
	person := target{tenant: "contoso", tenantID: roomtest.TenantID(0), cloud: tenants.Cloud{Authority: "https://login.example.com"}, credential: tenants.CredentialConfig{Kind: tenants.KindDeviceCode, ClientID: tenants.PublicClientID}}
	if problem := roomtest.WantCode(t, x.problem(person), problems.CodeConsentMissing); !strings.Contains(problem.Hint, "adminconsent?client_id="+tenants.PublicClientID) {
		t.Errorf("hint %q", problem.Hint)
	}
}
