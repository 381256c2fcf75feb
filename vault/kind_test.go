package vault

import (
	"context"
	"strings"
	"testing"
	"time"

	"mcp-partner/schemas"
)

func TestKindsHaveWhatTheyNeedAndNothingElse(t *testing.T) {
	t.Parallel()
	const guid = "0c1b2a39-1111-4222-8333-444455556666"
	good := map[Kind]CredentialConfig{
		KindClientSecret:      {ClientID: strings.ToUpper(guid), Expires: "2030-01-02"},
		KindClientCertificate: {ClientID: guid, Expires: "2030-01-02T03:04:05Z", Thumbprint: "AB"},
		KindWorkloadIdentity:  {ClientID: guid, AssertionSource: AssertionFile, TokenFile: "/var/run/../run/token"},
		KindManagedIdentity:   {HomeTenant: guid, ResourceID: machineResource()},
		KindAzureCLI:          {AzPath: "/usr/bin/az"},
		KindDeviceCode:        {}, KindBrowser: {ClientID: guid}, KindDefault: {},
	}
	for _, kind := range Kinds() {
		config, ok := good[kind]
		if !ok {
			t.Fatalf("%s is not tested", kind)
		}
		config.Name, config.Kind = "app", kind
		normal, err := config.normal()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if again, err := normal.normal(); err != nil || again != normal {
			t.Errorf("%s: normal is not the normal form of itself: %+v (%v)", kind, again, err)
		}
		if kind.Stored() != (normal.SecretName == "app") {
			t.Errorf("%s: the name of its secret is %q", kind, normal.SecretName)
		}
		for other, settings := range good {
			mixed := config
			if other == kind || settings == (CredentialConfig{}) {
				continue
			}
			mixed.AzPath, mixed.HomeTenant, mixed.TokenFile = settings.AzPath+config.AzPath, settings.HomeTenant+config.HomeTenant, settings.TokenFile+config.TokenFile
			if mixed == config {
				continue
			}
			if _, err := mixed.normal(); err == nil {
				t.Errorf("%s takes what only %s has", kind, other)
			}
		}
	}
}

func TestKindsThatAreRefused(t *testing.T) {
	t.Parallel()
	const guid = "0c1b2a39-1111-4222-8333-444455556666"
	for name, config := range map[string]CredentialConfig{
		"certificate without client ID": {Kind: KindClientCertificate}, "no source": {Kind: KindWorkloadIdentity, ClientID: guid},
		"relative token file": {Kind: KindWorkloadIdentity, ClientID: guid, AssertionSource: AssertionFile, TokenFile: "token"},
		"both sources":        {Kind: KindWorkloadIdentity, ClientID: guid, AssertionSource: AssertionGitHub, TokenFile: "/token"},
		"no home":             {Kind: KindManagedIdentity}, "two names": {Kind: KindManagedIdentity, HomeTenant: guid, ClientID: guid, ObjectID: guid},
		"no such resource": {Kind: KindManagedIdentity, HomeTenant: guid, ResourceID: "/subscriptions/" + guid},
		"resource query":   {Kind: KindManagedIdentity, HomeTenant: guid, ResourceID: machineResource() + "?x"},
		"no date":          {Kind: KindClientSecret, ClientID: guid, Expires: "soon"}, "person with a word": {Kind: KindBrowser, ClientID: "me"},
	} {
		config.Name = "app"
		if _, err := config.normal(); schemas.AsProblem(err) == nil || schemas.AsProblem(err).Code != schemas.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameIdentity(t *testing.T) {
	t.Parallel()
	secret := CredentialConfig{Name: "a", Kind: KindClientSecret, ClientID: "X"}
	for name, test := range map[string]struct {
		other CredentialConfig
		same  bool
	}{
		"itself":                   {CredentialConfig{Name: "A", Kind: KindClientSecret, ClientID: "Y"}, true},
		"the same application":     {CredentialConfig{Name: "b", Kind: KindClientCertificate, ClientID: "x"}, true},
		"another application":      {CredentialConfig{Name: "b", Kind: KindClientCertificate, ClientID: "y"}, false},
		"a person of that client":  {CredentialConfig{Name: "b", Kind: KindDeviceCode, ClientID: "x"}, false},
		"a machine of that client": {CredentialConfig{Name: "b", Kind: KindManagedIdentity, ClientID: "x"}, false},
	} {
		if got := secret.SameIdentity(test.other); got != test.same {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestExpiryStates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		config CredentialConfig
		state  ExpiryState
	}{
		"nobody said":  {CredentialConfig{Kind: KindClientSecret}, ExpiryUnknown},
		"far":          {CredentialConfig{Kind: KindClientSecret, Expires: "2026-07-02T00:00:00Z"}, ExpiryValid},
		"in 30 days":   {CredentialConfig{Kind: KindClientSecret, Expires: "2026-06-30T00:00:00Z"}, ExpirySoon},
		"this moment":  {CredentialConfig{Kind: KindClientSecret, Expires: "2026-06-01T00:00:00Z"}, ExpiryPast},
		"a person":     {CredentialConfig{Kind: KindBrowser}, ExpiryNone},
		"a federation": {CredentialConfig{Kind: KindWorkloadIdentity}, ExpiryNone},
	} {
		if got, _ := test.config.Expiry(now); got != test.state {
			t.Errorf("%s: %s, want %s", name, got, test.state)
		}
	}
}

// A secret whose end is known is not presented after it.
func TestKnownEndOfASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, CredentialConfig{Kind: KindClientSecret, Expires: formatExpiry(time.Now().Add(time.Hour))})
	secret, err := NewSecret([]byte(w.sim.ClientSecret()))
	if err != nil {
		t.Fatal(err)
	}
	w.put(secret)
	w.accepted("contoso")
	w.clock.advance(2 * time.Hour)
	before := w.sim.Stats().TokenRequests
	_, err = w.token("contoso")
	problem := wantCode(t, err, schemas.CodeCredentialExpired)
	if w.sim.Stats().TokenRequests != before || !strings.Contains(problem.Hint, "tenants set contoso --secret-stdin") {
		t.Errorf("%d requests, hint %q", w.sim.Stats().TokenRequests-before, problem.Hint)
	}
}

// dated is a store whose backend knows when a secret ends.
type dated struct {
	*MemoryStore
	end time.Time
}

// Info implements Store.
func (d dated) Info(ctx context.Context, name string) (SecretInfo, error) {
	info, err := d.MemoryStore.Info(ctx, name)
	info.ExpiresAt = d.end
	return info, err
}

func TestEndThatABackendKnows(t *testing.T) {
	t.Parallel()
	w := ready(t, KindClientSecret, 1)
	w.Source.store = dated{w.store, w.clock.Now().Add(time.Hour)}
	w.accepted("contoso")
	w.clock.advance(2 * time.Hour)
	before := w.sim.Stats().TokenRequests
	_, err := w.token("contoso")
	wantCode(t, err, schemas.CodeCredentialExpired)
	if got := w.sim.Stats().TokenRequests - before; got != 0 {
		t.Errorf("%d requests with a secret that has ended", got)
	}
}

// Somebody who replaces a secret in a backend tells the directory nothing.
func TestEndOfASecretThatWasReplacedInABackend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, CredentialConfig{Kind: KindClientSecret, Expires: formatExpiry(time.Now().Add(-time.Hour))})
	w.put(mustSecret(t, w.sim.ClientSecret()))
	_, err := w.token("contoso")
	if problem := wantCode(t, err, schemas.CodeCredentialExpired); !strings.Contains(problem.Hint, "tenants set contoso --expires DATE") {
		t.Errorf("hint %q", problem.Hint)
	}
	end := w.clock.Now().Add(60 * 24 * time.Hour).UTC().Truncate(time.Second)
	w.Source.store = dated{w.store, end}
	w.accepted("contoso")
	if known, err := w.directory.Credential(kindName); err != nil || known.Expires != formatExpiry(end) {
		t.Errorf("the directory says %q (%v), want %s", known.Expires, err, end)
	}
}

func TestEndOfACertificateThatWasReplacedInABackend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, CredentialConfig{Kind: KindClientCertificate, Expires: formatExpiry(time.Now().Add(-time.Hour)), Thumbprint: "AB"})
	issued := certificate(t, rsaKey(t, 0), year())
	w.sim.RegisterCertificate(issued)
	w.put(stored(t, pemOf(t, rsaKey(t, 0), issued), ""))
	w.accepted("contoso")
	known, err := w.directory.Credential(kindName)
	if err != nil || known.Expires != formatExpiry(issued.NotAfter) || len(known.Thumbprint) != 40 {
		t.Errorf("the directory says %+v (%v)", known, err)
	}
}

// What somebody has changed meanwhile is not set back.
func TestRevisedCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, CredentialConfig{Kind: KindClientSecret})
	before, err := w.directory.Credential(kindName)
	if err != nil {
		t.Fatal(err)
	}
	moved, after := before, before
	moved.ClientID, after.Expires = tenantID(7), "2031-01-02T00:00:00Z"
	if err := w.directory.SetCredential(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if err := w.directory.revise(t.Context(), before, after); err != nil {
		t.Fatal(err)
	}
	if now, err := w.directory.Credential(kindName); err != nil || now != moved {
		t.Errorf("the credential is %+v (%v), want %+v", now, err, moved)
	}
}
