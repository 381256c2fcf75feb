package tools

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const defaultPage = 50

func (s *Service) listTenants(ctx context.Context, j *job, in *schemas.ListTenantsInput) Result {
	if err := s.admit(ctx, j, schemas.Tenant{}, ""); err != nil {
		return failure(err)
	}
	if in.Discover {
		return s.discoverTenants(ctx, j, in)
	}
	if in.Tenant != "" || in.Credential != "" {
		return failure(problems.New(problems.CodeInvalidArgument,
			"tenant and credential need discover: true. To find one tenant, call find_partner_tool or page through the list."))
	}
	tenants, err := s.someVisible(j.call.Principal)
	if err != nil {
		return failure(err)
	}
	rows := xslices.Map(tenants, rowOf)
	countServed(rows)
	return page(j.call.Principal, rows, in)
}

// countServed says of each credential how many of the tenants use it that the
// caller sees.
func countServed(rows []answers.TenantRow) {
	served := map[string]int{}
	for _, row := range rows {
		for _, credential := range row.CredentialStatus {
			served[credential.Name]++
		}
	}
	for i := range rows {
		status := slices.Clone(rows[i].CredentialStatus)
		for j := range status {
			status[j].Tenants = served[status[j].Name]
		}
		rows[i].CredentialStatus = status
	}
}

// discoverTenants asks ARM which tenants a credential reaches, and says which
// of them are in the directory.
func (s *Service) discoverTenants(ctx context.Context, j *job, in *schemas.ListTenantsInput) Result {
	t, err := s.target(ctx, j, schemas.Target{Tenant: in.Tenant, Credential: in.Credential}, "")
	if err != nil {
		return failure(err)
	}
	if j.call.PlanOnly {
		return done(t.planned(j.op, ""))
	}
	j.progress(1, 1, "Asking ARM for the tenants of this credential")
	found, identity, err := t.azure.Tenants(ctx)
	if err != nil {
		envelope := problemEnvelope(err)
		envelope.Identity = t.identity(identity)
		return done(envelope)
	}
	rows, err := s.known(j.call.Principal, found)
	if err != nil {
		return failure(err)
	}
	result := page(j.call.Principal, rows, in)
	result.Envelope.Identity = t.identity(identity)
	result.Envelope.Summary += " A service principal sees only its own tenant; ProjectedBy and ManagedBy mean Azure Lighthouse."
	return result
}

// known marks discovered rows that are in the directory, and hides those that
// are, but lie outside the operator's bound or the caller's grant. What is in no
// directory is shown to callers alone who were given every tenant.
func (s *Service) known(p access.Principal, found []answers.TenantRow) ([]answers.TenantRow, error) {
	byID := map[string]schemas.Tenant{}
	for tenant, err := range s.deps.Directory.All() {
		if err != nil {
			return nil, err
		}
		byID[strings.ToLower(tenant.TenantID)] = tenant
	}
	var rows []answers.TenantRow
	for _, row := range found {
		tenant, ok := byID[strings.ToLower(row.TenantID)]
		switch {
		case ok && !p.Grant.AllowsTenant(tenant.Name), !ok && !p.Grant.Everywhere():
			continue
		case ok:
			seen := row
			row = rowOf(tenant)
			row.DisplayName, row.Category = seen.DisplayName, seen.Category
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b answers.TenantRow) int { return strings.Compare(rowKey(a), rowKey(b)) })
	return rows, nil
}

func rowOf(t schemas.Tenant) answers.TenantRow {
	return answers.TenantRow{
		Company: t.Company, Name: t.Name, TenantID: t.TenantID, Domains: t.Domains, Cloud: t.Cloud, Credentials: t.Credentials,
		ExpectedPartnerID: t.ExpectedPartnerID, Labels: t.Labels, Owner: t.Owner, ExternalID: t.ExternalID,
		Note: t.Note, InDirectory: true, CredentialStatus: t.CredentialStatus,
	}
}

// rowKey orders rows and names the place where the next page begins.
func rowKey(row answers.TenantRow) string { return row.Name + "\x00" + row.TenantID }

// page cuts one page out of rows, which are in the order of rowKey.
func page(p access.Principal, rows []answers.TenantRow, in *schemas.ListTenantsInput) Result {
	after, ok := openCursor(p.Caller, in.Cursor)
	if !ok {
		return failure(problems.New(problems.CodeInvalidArgument, "cursor is not valid: pass next_cursor of list_tenants unchanged."))
	}
	total := len(rows)
	if in.Cursor != "" {
		rows = slices.DeleteFunc(rows, func(row answers.TenantRow) bool { return rowKey(row) <= after })
	}
	limit := cmp.Or(in.Limit, defaultPage)
	envelope := answers.Envelope{Status: answers.StatusDone, Totals: map[string]int{"tenants": total}}
	if len(rows) > limit {
		rows = rows[:limit]
		envelope.NextCursor = cursor(p.Caller, rowKey(rows[limit-1]))
	}
	envelope.Tenants = rows
	envelope.Summary = fmt.Sprintf("%d of %d tenants.", len(rows), total)
	return done(envelope)
}

// ownerSize is how much of the hash of its caller's name a cursor carries, in
// bytes.
const ownerSize = 8

// cursor names the place where the next page begins: behind the key of the last
// row shown, so that rows which come and go between two pages neither repeat nor
// hide others. It opens nothing, because each page is made of what its caller
// may see; that it belongs to one caller keeps a list from being continued with
// another's.
func cursor(caller access.Caller, key string) string {
	return base64.RawURLEncoding.EncodeToString(append(owner(caller), key...))
}

// openCursor returns the key that a cursor of this caller holds; "" opens to "".
func openCursor(caller access.Caller, text string) (key string, ok bool) {
	if text == "" {
		return "", true
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < ownerSize || !bytes.Equal(raw[:ownerSize], owner(caller)) {
		return "", false
	}
	key = string(raw[ownerSize:])
	_, id, isKey := strings.Cut(key, "\x00")
	return key, isKey && naming.IsGUID(id)
}

func owner(caller access.Caller) []byte {
	sum := sha256.Sum256([]byte("mcp-partner cursor\x00" + caller))
	return sum[:ownerSize]
}
