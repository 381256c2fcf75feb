package fleet

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

func (w *auditing) row(n int, target Target, read armclient.LinkRead, roles *pec.Reading) Row {
	tenant := target.Tenant
	wanted := w.audit.expectation(tenant)
	link := read.Link
	found := answers.AuditRow{
		Company: tenant.Company, Domain: tenant.Domain(), Tenant: tenant.Name, TenantID: tenant.TenantID, Credential: target.Credential, ObjectID: read.Identity.ObjectID,
		Cloud: tenant.Cloud, Authority: tenant.Authority, State: wanted.State(link), PartnerID: string(link.PartnerID),
		PartnerName: link.PartnerName, PartnerState: link.PartnerState, ExpectedPartnerID: strings.Join(wanted.IDs, " "),
		UpdatedTime: link.UpdatedTime, CreatedTime: link.CreatedTime, Version: link.Version,
		Labels: tenant.Labels, Owner: tenant.Owner, ExternalID: tenant.ExternalID,
		CheckedAt: w.f.opts.Now().UTC().Format(time.RFC3339), Problem: read.Problem,
		CredentialExpires: tenant.NearEnds[target.Credential],
	}
	found.PECRoles = rolesOf(read, roles)
	found.Stale = found.State.Linked() && writtenBefore(link.UpdatedTime, w.staleBefore)
	body, _ := json.Marshal(found) // strings, numbers and a problem: it cannot fail
	return Row{
		N: n, Tenant: tenant.Name, TenantID: tenant.TenantID, Credential: target.Credential,
		State: string(found.State), Rank: rank(found), Cause: cause(found), Stale: found.Stale, Body: body,
	}
}

// Expectation says which partner IDs a link should be to.
type Expectation struct {
	// IDs are those that are right; none where that is not known.
	IDs []string
	// Own are all of the partner's own IDs.
	Own []string
}

// ExpectationOf is what is expected in a tenant: what its entry says, else one of
// the partner's own IDs.
func ExpectationOf(tenant schemas.Tenant, own []string) Expectation {
	if tenant.ExpectedPartnerID != "" {
		return Expectation{IDs: []string{string(tenant.ExpectedPartnerID)}, Own: own}
	}
	return Expectation{IDs: own, Own: own}
}

// sole is the ID if it is one.
func (e Expectation) sole() string {
	if len(e.IDs) != 1 {
		return ""
	}
	return e.IDs[0]
}

func (a Audit) expectation(tenant schemas.Tenant) Expectation {
	if len(a.ExpectedIDs) > 0 {
		return Expectation{IDs: a.ExpectedIDs, Own: a.OwnIDs}
	}
	return ExpectationOf(tenant, a.OwnIDs)
}

// State says what a link is against the expectation. Whatever is not clearly
// something else is unknown.
func (e Expectation) State(link answers.Link) answers.RowState {
	switch link.State {
	case answers.LinkNotLinked:
		return answers.RowNotLinked
	case answers.LinkDeleted:
		return answers.RowDeleted
	case answers.LinkLinked:
		return e.linked(string(link.PartnerID))
	default:
		return answers.RowUnknown
	}
}

func (e Expectation) linked(id string) answers.RowState {
	switch {
	case len(e.IDs) == 0:
		return answers.RowLinked
	case slices.Contains(e.IDs, id):
		return answers.RowLinkedExpected
	case slices.Contains(e.Own, id):
		return answers.RowLinkedOwn
	default:
		return answers.RowLinkedOther
	}
}

func writtenBefore(text string, limit time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, text)
	return !limit.IsZero() && err == nil && at.Before(limit)
}

// rank orders rows by how much they need attention.
func rank(row answers.AuditRow) int {
	place := slices.Index(answers.RowStates(), row.State)
	if row.Stale && (row.State == answers.RowLinked || row.State == answers.RowLinkedExpected) {
		return staleRank
	}
	if place >= staleRank {
		return place + 1
	}
	return place
}

// staleRank is behind missing, other, own and unknown, and before what is in order.
const staleRank = 5

// cause names what stands between a row and an answer: the same secret refused
// at the same authority is one cause, however many tenants it opens. Causes of
// one tenant alone have the same code and are grouped as well.
func cause(row answers.AuditRow) string {
	if row.State != answers.RowUnknown || row.Problem == nil {
		return ""
	}
	return strings.Join([]string{string(row.Problem.Code), row.Credential, row.Authority}, "\n")
}
