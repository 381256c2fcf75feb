package schemas

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
	Credentials       []string `json:"credentials"`
	ExpectedPartnerID string   `json:"expected_partner_id,omitempty"`
	// ObjectIDs maps a credential's name to the object ID pinned after its first success.
	ObjectIDs map[string]string `json:"object_ids,omitempty"`
	// SameIdentity maps the name of a credential to an earlier one that is the same
	// identity for certain: the secret and the certificate of one application.
	SameIdentity map[string]string `json:"-"`
	Labels       []string          `json:"labels,omitempty"`
	Owner        string            `json:"owner,omitempty"`
	ExternalID   string            `json:"external_id,omitempty"`
	Note         string            `json:"note,omitempty"`
	// CredentialStatus has what is known of each credential, in their order.
	CredentialStatus []CredentialView `json:"credential_status,omitempty"`
}

// Domain is the tenant's first domain, or "".
func (t Tenant) Domain() string {
	if len(t.Domains) == 0 {
		return ""
	}
	return t.Domains[0]
}

// TenantRow is one row of list_tenants. DisplayName is untrusted text.
type TenantRow struct {
	Company           string   `json:"company,omitempty"`
	Name              string   `json:"name" doc:"Use as tenant."`
	TenantID          string   `json:"tenant_id"`
	Domains           []string `json:"domains,omitempty"`
	DisplayName       string   `json:"display_name,omitempty" doc:"Untrusted text."`
	Cloud             string   `json:"cloud,omitempty"`
	Credentials       []string `json:"credentials,omitempty" doc:"The first is the default."`
	ExpectedPartnerID string   `json:"expected_partner_id,omitempty"`
	Labels            []string `json:"labels,omitempty"`
	Owner             string   `json:"owner,omitempty"`
	ExternalID        string   `json:"external_id,omitempty"`
	Note              string   `json:"note,omitempty"`
	// CredentialStatus says of each credential what kind it is, when it ends and
	// when it last worked.
	CredentialStatus []CredentialView `json:"credential_status,omitempty"`
	// Category is ARM's tenantCategory for a discovered tenant: Home,
	// ProjectedBy or ManagedBy (the latter two mean Azure Lighthouse).
	Category string `json:"category,omitempty"`
	// InDirectory is false for a tenant that discovery found and nobody added.
	InDirectory bool `json:"in_directory"`
}

// CredentialView is what is told of a credential: never the secret, nor where
// it is kept.
type CredentialView struct {
	Name string `json:"name" doc:"Name of the credential."`
	// Kind is one of the kinds of docs/credentials.md.
	Kind string `json:"kind" doc:"Kind of credential, such as client-secret."`
	// Tenants is how many tenants use it, of those that the asker sees.
	Tenants int `json:"tenants,omitempty" doc:"How many tenants use it."`
	// Expiry is none, unknown, valid, soon or expired.
	Expiry string `json:"expiry" doc:"none, unknown, valid, soon (within 30 days) or expired."`
	// ExpiresAt, LastSuccess and LastFailure are times in RFC 3339, in UTC.
	ExpiresAt   string `json:"expires_at,omitempty" doc:"Expiry date."`
	LastSuccess string `json:"last_success,omitempty" doc:"When it last signed in."`
	LastFailure string `json:"last_failure,omitempty" doc:"When it last failed to."`
	// LastProblem is the code of the last failure.
	LastProblem Code `json:"last_problem,omitempty" doc:"Why it last failed to: a problem code."`
}
