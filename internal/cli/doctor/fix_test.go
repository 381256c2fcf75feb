package doctor

import (
	"testing"

	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// Each problem of a sign-in is mended by what could mend it.
func TestSignInFixes(t *testing.T) {
	t.Parallel()
	entry := tenants.Entry{Name: "contoso", Cloud: tenants.Cloud{Authority: "https://login.example", ARMEndpoint: "https://arm.example"}}
	for _, c := range []struct {
		code problems.Code
		kind tenants.Kind
		want string
	}{
		{problems.CodeNetwork, tenants.KindClientSecret, "curl -sSI https://login.example"},
		{problems.CodeTimeout, tenants.KindManagedIdentity, "curl -sSI https://login.example"},
		{problems.CodeSignInUnavailable, tenants.KindClientSecret, "mcp-partner doctor"},
		{problems.CodeConsentMissing, tenants.KindClientSecret, "mcp-partner tenants consent-links --credential app"},
		{problems.CodeTenantNotFound, tenants.KindClientSecret, "mcp-partner tenants set contoso --tenant-id GUID"},
		{problems.CodeCredentialRejected, tenants.KindClientSecret, "mcp-partner tenants set contoso --secret-stdin"},
		{problems.CodeCredentialExpired, tenants.KindClientCertificate, "mcp-partner tenants set contoso --certificate-file FILE"},
		{problems.CodeInteractionRequired, tenants.KindBrowser, "mcp-partner vault login app"},
		{problems.CodeCredentialRejected, tenants.KindWorkloadIdentity, "mcp-partner tenants set contoso --credential APP --client-id GUID --secret-stdin"},
	} {
		if got := signInFix(problems.New(c.code, "It failed."), entry, tenants.CredentialConfig{Name: "app", Kind: c.kind}); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.code, c.kind, got, c.want)
		}
	}
	if got := readFix(problems.New(problems.CodeNetwork, "It failed."), entry); got != "curl -sSI https://login.example https://arm.example" {
		t.Errorf("a read without a network: %s", got)
	}
	if got := readFix(problems.New(problems.CodeForbidden, "It failed."), entry); got != "mcp-partner call check_partner_link --tenant contoso" {
		t.Errorf("a read that is forbidden: %s", got)
	}
}
