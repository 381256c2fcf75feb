package answers

import (
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// TenantRow is one row of list_tenants. DisplayName is untrusted text.
type TenantRow struct {
	Company           string       `json:"company,omitempty"`
	Name              string       `json:"name" doc:"Use as tenant."`
	TenantID          string       `json:"tenant_id"`
	Domains           []string     `json:"domains,omitempty"`
	DisplayName       string       `json:"display_name,omitempty" doc:"Untrusted text."`
	Cloud             string       `json:"cloud,omitempty"`
	Credentials       []string     `json:"credentials,omitempty" doc:"The first is the default."`
	ExpectedPartnerID partnerid.ID `json:"expected_partner_id,omitempty"`
	Labels            []string     `json:"labels,omitempty"`
	Owner             string       `json:"owner,omitempty"`
	ExternalID        string       `json:"external_id,omitempty"`
	Note              string       `json:"note,omitempty"`
	// CredentialStatus says of each credential what kind it is, when it ends and
	// when it last worked.
	CredentialStatus []CredentialView `json:"credential_status,omitempty"`
	// Category is ARM's tenantCategory for a discovered tenant: Home,
	// ProjectedBy or ManagedBy (the latter two mean Azure Lighthouse).
	Category string `json:"category,omitempty"`
	// InDirectory is false for a tenant that discovery found and that was not
	// added.
	InDirectory bool `json:"in_directory"`
}

// CredentialView is the public part of a credential: never the secret, nor
// where it is kept.
type CredentialView struct {
	Name string `json:"name" doc:"Name of the credential."`
	Kind string `json:"kind" doc:"Kind of credential, such as client-secret."`
	// Tenants is how many tenants use it, of those that the asker sees.
	Tenants int    `json:"tenants,omitempty" doc:"How many tenants use it."`
	Expiry  string `json:"expiry" doc:"none, unknown, valid, soon (within 30 days) or expired."`
	// ExpiresAt, LastSuccess and LastFailure are times in RFC 3339, in UTC.
	ExpiresAt   string        `json:"expires_at,omitempty" doc:"Expiry date."`
	LastSuccess string        `json:"last_success,omitempty" doc:"When it last signed in."`
	LastFailure string        `json:"last_failure,omitempty" doc:"When it last failed to."`
	LastProblem problems.Code `json:"last_problem,omitempty" doc:"Why it last failed to: a problem code."`
}
