package fleet

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
)

// row judges what was read of a target.
func (w *auditing) row(n int, target Target, read armclient.LinkRead, roles *pec.Reading) Row {
	tenant := target.Tenant
	expected := w.audit.ExpectedIDs
	if len(expected) == 0 && tenant.ExpectedPartnerID != "" {
		expected = []string{tenant.ExpectedPartnerID}
	}
	link := read.Link
	found := schemas.AuditRow{
		Tenant: tenant.Name, TenantID: tenant.TenantID, Credential: target.Credential, ObjectID: read.Identity.ObjectID,
		Cloud: tenant.Cloud, Authority: tenant.Authority, State: rowState(link, expected), PartnerID: link.PartnerID,
		PartnerName: link.PartnerName, PartnerState: link.PartnerState, ExpectedPartnerID: strings.Join(expected, " "),
		UpdatedTime: link.UpdatedTime, CreatedTime: link.CreatedTime, Version: link.Version,
		Labels: tenant.Labels, Owner: tenant.Owner, ExternalID: tenant.ExternalID,
		CheckedAt: w.f.opts.Now().UTC().Format(time.RFC3339), Problem: read.Problem,
	}
	found.PECRoles = rolesOf(read, roles)
	found.Stale = found.State.Linked() && writtenBefore(link.UpdatedTime, w.staleBefore)
	body, _ := json.Marshal(found) // strings, numbers and a problem: it cannot fail
	return Row{
		N: n, Tenant: tenant.Name, TenantID: tenant.TenantID, Credential: target.Credential,
		State: string(found.State), Rank: rank(found), Cause: cause(found), Stale: found.Stale, Body: body,
	}
}

// rowState says what a link is against what is expected. Whatever is not clearly
// something else is unknown.
func rowState(link schemas.Link, expected []string) schemas.RowState {
	switch link.State {
	case schemas.LinkNotLinked:
		return schemas.RowNotLinked
	case schemas.LinkDeleted:
		return schemas.RowDeleted
	case schemas.LinkLinked:
		return linkedRowState(link.PartnerID, expected)
	default:
		return schemas.RowUnknown
	}
}

func linkedRowState(id string, expected []string) schemas.RowState {
	switch {
	case len(expected) == 0:
		return schemas.RowLinked
	case slices.Contains(expected, id):
		return schemas.RowLinkedExpected
	default:
		return schemas.RowLinkedOther
	}
}

// writtenBefore reports whether a time is known to be before a limit.
func writtenBefore(text string, limit time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, text)
	return !limit.IsZero() && err == nil && at.Before(limit)
}

// rank orders rows by how much they need attention.
func rank(row schemas.AuditRow) int {
	place := slices.Index(schemas.RowStates(), row.State)
	if row.Stale && row.State != schemas.RowLinkedOther {
		return staleRank
	}
	if place >= staleRank {
		return place + 1
	}
	return place
}

// staleRank is behind missing, other and unknown, and before what is in order.
const staleRank = 4

// cause names what stands between a row and an answer: the same secret refused
// at the same authority is one cause, however many tenants it opens. Causes of
// one tenant alone have the same code and are grouped as well.
func cause(row schemas.AuditRow) string {
	if row.State != schemas.RowUnknown || row.Problem == nil {
		return ""
	}
	return strings.Join([]string{string(row.Problem.Code), row.Credential, row.Authority}, "\n")
}
