package tenants

import (
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestCredentialKindsAcceptOnlyTheirFields(t *testing.T) {
	t.Parallel()
	const guid = "0c1b2a39-1111-4222-8333-444455556666"
	good := map[Kind]CredentialConfig{
		KindClientSecret:      {ClientID: strings.ToUpper(guid), Expires: "2030-01-02"},
		KindClientCertificate: {ClientID: guid, Expires: "2030-01-02T03:04:05Z", Thumbprint: "AB"},
		KindWorkloadIdentity:  {ClientID: guid, AssertionSource: AssertionFile, TokenFile: "/var/run/../run/token"},
		KindManagedIdentity:   {HomeTenant: guid, ResourceID: roomtest.MachineResource()},
		KindAzureCLI:          {AzPath: "/usr/bin/az"},
		KindDeviceCode:        {}, KindBrowser: {ClientID: guid},
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

func TestInvalidCredentialKindsAreRefused(t *testing.T) {
	t.Parallel()
	const guid = "0c1b2a39-1111-4222-8333-444455556666"
	for name, config := range map[string]CredentialConfig{
		"certificate without client ID": {Kind: KindClientCertificate}, "no source": {Kind: KindWorkloadIdentity, ClientID: guid},
		"relative token file": {Kind: KindWorkloadIdentity, ClientID: guid, AssertionSource: AssertionFile, TokenFile: "token"},
		"both sources":        {Kind: KindWorkloadIdentity, ClientID: guid, AssertionSource: AssertionGitHub, TokenFile: "/token"},
		"no home":             {Kind: KindManagedIdentity}, "two names": {Kind: KindManagedIdentity, HomeTenant: guid, ClientID: guid, ObjectID: guid},
		"no such resource": {Kind: KindManagedIdentity, HomeTenant: guid, ResourceID: "/subscriptions/" + guid},
		"resource query":   {Kind: KindManagedIdentity, HomeTenant: guid, ResourceID: roomtest.MachineResource() + "?x"},
		"no date":          {Kind: KindClientSecret, ClientID: guid, Expires: "soon"}, "person with a word": {Kind: KindBrowser, ClientID: "me"},
	} {
		config.Name = "app"
		if _, err := config.normal(); problems.As(err) == nil || problems.As(err).Code != problems.CodeInvalidArgument {
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
