package doctor

import (
	"strings"
	"testing"

	"mcp-partner/internal/app"
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
		{code: problems.CodeNetwork, kind: tenants.KindClientSecret, want: "curl -sSI https://login.example"},
		{code: problems.CodeTimeout, kind: tenants.KindManagedIdentity, want: "curl -sSI https://login.example"},
		{code: problems.CodeSignInUnavailable, kind: tenants.KindClientSecret, want: "mcp-partner doctor"},
		{code: problems.CodeConsentMissing, kind: tenants.KindClientSecret, want: "mcp-partner tenants consent-links --credential app"},
		{code: problems.CodeTenantNotFound, kind: tenants.KindClientSecret, want: "mcp-partner tenants set contoso --tenant-id GUID"},
		{code: problems.CodeCredentialRejected, kind: tenants.KindClientSecret, want: "mcp-partner tenants set contoso --secret-stdin"},
		{code: problems.CodeCredentialExpired, kind: tenants.KindClientCertificate, want: "mcp-partner tenants set contoso --certificate-file FILE"},
		{code: problems.CodeInteractionRequired, kind: tenants.KindBrowser, want: "mcp-partner vault login app"},
		{
			code: problems.CodeCredentialRejected, kind: tenants.KindWorkloadIdentity,
			want: "mcp-partner tenants set contoso --credential APP --client-id GUID --secret-stdin",
		},
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

func TestUntakenMessagesNameChannelAndNextStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		of        app.Untaken
		want, fix string
	}{
		{name: "alerts", of: app.Untaken{Channel: "finops", Messages: 1, Tries: 3, Configured: true}, want: "finops of alerts has not taken 1 message yet after 3 attempts. A server sends again", fix: "mcp-partner audit changes"},
		{name: "a channel that is gone", of: app.Untaken{Channel: "finops", Messages: 2, Tries: 1}, want: "does not name it any more", fix: "mcp-partner audit changes"},
		{name: "approvals", of: app.Untaken{Messages: 1, Tries: 1}, want: "webhook of approvals has not taken 1 message yet", fix: "mcp-partner approvals list"},
	} {
		if got := checkUntaken(c.of); !strings.Contains(got.Message, c.want) || got.Fix != c.fix {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
