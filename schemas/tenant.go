package schemas

import (
	"cmp"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

// Tenant is one entry of the directory as the tools see it: where to go and
// what is expected there. It holds no secret.
type Tenant struct {
	Name string `json:"name"`
	// Company is what the customer is called, as a person wrote it.
	Company  string   `json:"company,omitempty"`
	TenantID string   `json:"tenant_id"`
	Domains  []string `json:"domains,omitempty"`
	// Cloud is public, usgovernment, china or custom.
	Cloud string `json:"cloud"`
	// ARMEndpoint is the base URL of ARM, without a trailing slash.
	ARMEndpoint string `json:"arm_endpoint"`
	// Authority is where its credentials sign in.
	Authority string `json:"authority,omitempty"`
	// Credentials are the names usable in this tenant; the first is the default.
	Credentials       []string     `json:"credentials"`
	ExpectedPartnerID partnerid.ID `json:"expected_partner_id,omitempty"`
	// ObjectIDs maps a credential's name to the object ID pinned after its first success.
	ObjectIDs map[string]string `json:"object_ids,omitempty"`
	// SameIdentity maps the name of a credential to an earlier one that is the same
	// identity for certain: the secret and the certificate of one application.
	SameIdentity map[string]string `json:"-"`
	// NearEnds says of credentials that have ended or will soon when that is, in RFC
	// 3339.
	NearEnds   map[string]string `json:"-"`
	Labels     []string          `json:"labels,omitempty"`
	Owner      string            `json:"owner,omitempty"`
	ExternalID string            `json:"external_id,omitempty"`
	Note       string            `json:"note,omitempty"`
	// CredentialStatus has what is known of each credential, in their order.
	CredentialStatus []answers.CredentialView `json:"credential_status,omitempty"`
}

// Domain is the tenant's first domain, or "".
func (t Tenant) Domain() string {
	if len(t.Domains) == 0 {
		return ""
	}
	return t.Domains[0]
}

// Identify completes an identity that a token showed with what the entry says of it.
func (t Tenant) Identify(seen answers.Identity, credential string) answers.Identity {
	seen.TenantID = cmp.Or(seen.TenantID, t.TenantID)
	seen.Tenant, seen.Cloud, seen.Credential = t.Name, t.Cloud, credential
	return seen
}
