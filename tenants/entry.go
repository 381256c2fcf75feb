package tenants

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const (
	maxTextRunes   = 500
	maxLabels      = 32
	maxDomains     = 64
	maxCredentials = 16
)

// Entry is one tenant of the directory: who it is, which credentials act in it
// and where they are sent.
type Entry struct {
	Name string `json:"name"`
	// Company is what the customer is called; two tenants may share it.
	Company  string   `json:"company,omitempty"`
	TenantID string   `json:"tenant_id"`
	Domains  []string `json:"domains,omitempty"`
	// Cloud is written by entryRecord: a file names it.
	Cloud Cloud `json:"-"`
	// Credentials act in this tenant; the first is the default.
	Credentials       []CredentialRef `json:"credentials"`
	ExpectedPartnerID string          `json:"expected_partner_id,omitempty"`
	// Labels, Owner, ExternalID and Note are the operator's own; reports carry them.
	Labels     []string  `json:"labels,omitempty"`
	Owner      string    `json:"owner,omitempty"`
	ExternalID string    `json:"external_id,omitempty"`
	Note       string    `json:"note,omitempty"`
	AddedAt    time.Time `json:"added_at"`
}

// CredentialRef names a credential as it is used in one tenant.
type CredentialRef struct {
	Name string `json:"name"`
	// PinnedObjectID is the object ID that this credential had in this tenant
	// at its first success, or empty. A token with another one is not used.
	PinnedObjectID string `json:"object_id,omitempty"`
}

// Tenant is the entry as the tools see it.
func (e Entry) Tenant() schemas.Tenant {
	t := schemas.Tenant{
		Name: e.Name, Company: e.Company, TenantID: e.TenantID, Domains: slices.Clone(e.Domains),
		Cloud: e.Cloud.Name, ARMEndpoint: e.Cloud.ARMEndpoint, Authority: e.Cloud.Authority,
		ExpectedPartnerID: partnerid.ID(e.ExpectedPartnerID), Labels: slices.Clone(e.Labels),
		Owner: e.Owner, ExternalID: e.ExternalID, Note: e.Note,
	}
	for _, ref := range e.Credentials {
		t.Credentials = append(t.Credentials, ref.Name)
		if ref.PinnedObjectID == "" {
			continue
		}
		if t.ObjectIDs == nil {
			t.ObjectIDs = map[string]string{}
		}
		t.ObjectIDs[ref.Name] = ref.PinnedObjectID
	}
	return t
}

// Credential returns the reference of that name, or the default one for an
// empty name. It returns a CodeUnknownCredential problem if there is none.
func (e Entry) Credential(name string) (CredentialRef, error) {
	for _, ref := range e.Credentials {
		if name == "" || naming.Same(ref.Name, name) {
			return ref, nil
		}
	}
	return CredentialRef{}, problems.New(problems.CodeUnknownCredential,
		"Tenant "+e.Name+" has no credential "+untrusted.Shown(name)+"; it has: "+strings.Join(e.Tenant().Credentials, ", ")+".")
}

// Using keeps the entries in which one of the credentials acts.
func Using(entries []Entry, credentials ...string) []Entry {
	used := func(ref CredentialRef) bool {
		return slices.ContainsFunc(credentials, func(name string) bool { return naming.Same(ref.Name, name) })
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !slices.ContainsFunc(e.Credentials, used) })
}

// clone copies an entry so that the caller's slices are its own.
func (e Entry) clone() Entry {
	e.Domains, e.Labels = slices.Clone(e.Domains), slices.Clone(e.Labels)
	e.Credentials = slices.Clone(e.Credentials)
	return e
}

func (e Entry) normal() (Entry, error) {
	e = e.clone()
	if err := CheckTenantName(e.Name); err != nil {
		return Entry{}, err
	}
	if !naming.IsGUID(e.TenantID) {
		return Entry{}, problems.InvalidArgument("tenant ID %s of %s is not a GUID.", untrusted.Shown(e.TenantID), e.Name)
	}
	e.TenantID = strings.ToLower(e.TenantID)
	if e.AddedAt = e.AddedAt.UTC(); e.AddedAt.Year() < 1 || e.AddedAt.Year() > 9999 {
		return Entry{}, problems.InvalidArgument("%s has an invalid time of addition.", e.Name)
	}
	cloud, err := e.Cloud.Normal()
	if err != nil {
		return Entry{}, err
	}
	e.Cloud = cloud
	for _, check := range []func(*Entry) error{normalCompany, normalDomains, normalRefs, normalPartner, checkTexts} {
		if err := check(&e); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

// normalCompany makes the company's name, which comes from a customer, safe to show.
func normalCompany(e *Entry) error {
	if utf8.RuneCountInString(e.Company) > untrusted.Limit {
		return problems.InvalidArgument("the company of %s has more than %d characters: shorten it.", e.Name, untrusted.Limit)
	}
	e.Company = untrusted.Sanitize(e.Company)
	return nil
}

func normalDomains(e *Entry) error {
	if len(e.Domains) > maxDomains {
		return problems.InvalidArgument("%s has more than %d domains.", e.Name, maxDomains)
	}
	for i, domain := range e.Domains {
		if err := CheckDomain(domain); err != nil {
			return err
		}
		e.Domains[i] = normalDomain(domain)
	}
	return nil
}

// normalDomain keeps the ASCII form of a domain (xn--) where that was given: it shows
// which of two domains that look alike it is. A ß stays: straße and strasse are two
// domains to Entra ID.
func normalDomain(domain string) string {
	return strings.ToLower(norm.NFKC.String(domain))
}

func normalRefs(e *Entry) error {
	if len(e.Credentials) == 0 || len(e.Credentials) > maxCredentials {
		return problems.InvalidArgument("%s has %d credentials; a tenant has between 1 and %d.", e.Name, len(e.Credentials), maxCredentials)
	}
	seen := map[string]bool{}
	for i, ref := range e.Credentials {
		if seen[naming.Fold(ref.Name)] {
			return problems.InvalidArgument("%s names the credential %q twice.", e.Name, untrusted.Sanitize(ref.Name))
		}
		seen[naming.Fold(ref.Name)] = true
		if ref.PinnedObjectID != "" && !naming.IsGUID(ref.PinnedObjectID) {
			return problems.InvalidArgument("object ID %s of %s is not a GUID.", untrusted.Shown(ref.PinnedObjectID), e.Name)
		}
		e.Credentials[i].PinnedObjectID = strings.ToLower(ref.PinnedObjectID)
	}
	return nil
}

func normalPartner(e *Entry) error {
	if e.ExpectedPartnerID == "" {
		return nil
	}
	return partnerid.Check("expected partner ID of "+e.Name, e.ExpectedPartnerID)
}

func checkTexts(e *Entry) error {
	if len(e.Labels) > maxLabels {
		return problems.InvalidArgument("%s has more than %d labels.", e.Name, maxLabels)
	}
	texts := append([]string{e.Owner, e.ExternalID, e.Note}, e.Labels...)
	for _, text := range texts {
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxTextRunes || strings.ContainsFunc(text, isHidden) {
			return problems.InvalidArgument("owner, external ID, note and labels of %s must be one line of at most %d characters each, without control characters.", e.Name, maxTextRunes)
		}
	}
	if slices.Contains(e.Labels, "") {
		return problems.InvalidArgument("%s has an empty label.", e.Name)
	}
	return nil
}

func isHidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
