package cli

import (
	"testing"

	"mcp-partner/schemas"
	"mcp-partner/vault"
)

// Each problem of a sign-in is mended by what could mend it.
func TestSignInFixes(t *testing.T) {
	t.Parallel()
	entry := vault.Entry{Name: "contoso", Cloud: vault.Cloud{Authority: "https://login.example", ARMEndpoint: "https://arm.example"}}
	for _, c := range []struct {
		code schemas.Code
		kind vault.Kind
		want string
	}{
		{schemas.CodeNetwork, vault.KindClientSecret, "curl -sSI https://login.example"},
		{schemas.CodeTimeout, vault.KindManagedIdentity, "curl -sSI https://login.example"},
		{schemas.CodeSignInUnavailable, vault.KindClientSecret, "mcp-partner doctor"},
		{schemas.CodeConsentMissing, vault.KindClientSecret, "mcp-partner tenants consent-links --credential app"},
		{schemas.CodeTenantNotFound, vault.KindClientSecret, "mcp-partner tenants set contoso --tenant-id GUID"},
		{schemas.CodeCredentialRejected, vault.KindClientSecret, "mcp-partner tenants set contoso --secret-stdin"},
		{schemas.CodeCredentialExpired, vault.KindClientCertificate, "mcp-partner tenants set contoso --certificate-file FILE"},
		{schemas.CodeInteractionRequired, vault.KindBrowser, "mcp-partner vault login app"},
		{schemas.CodeCredentialRejected, vault.KindWorkloadIdentity, "mcp-partner tenants set contoso --credential APP --client-id GUID --secret-stdin"},
	} {
		if got := signInFix(schemas.NewProblem(c.code, "It failed."), entry, vault.CredentialConfig{Name: "app", Kind: c.kind}); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.code, c.kind, got, c.want)
		}
	}
	if got := readFix(schemas.NewProblem(schemas.CodeNetwork, "It failed."), entry); got != "curl -sSI https://login.example https://arm.example" {
		t.Errorf("a read without a network: %s", got)
	}
	if got := readFix(schemas.NewProblem(schemas.CodeForbidden, "It failed."), entry); got != "mcp-partner call check_partner_link --tenant contoso" {
		t.Errorf("a read that is forbidden: %s", got)
	}
}
