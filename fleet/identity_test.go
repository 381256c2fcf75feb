package fleet_test

import (
	"context"
	"iter"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// rotating is a directory whose first tenant has two credentials of one
// application, and a third of another one.
type rotating struct {
	fleet.Directory
	// pin is the identity that the first of them had.
	pin string
}

func (r rotating) All() iter.Seq2[schemas.Tenant, error] {
	tenants, err := collected(r.Directory)
	if err == nil {
		tenants[0].Credentials = []string{"old", "app", "person"}
		tenants[0].SameIdentity = map[string]string{"app": "old"}
		tenants[0].ObjectIDs = map[string]string{"old": r.pin}
	}
	return all(tenants, err)
}

func (r rotating) Resolve(id string, _ func(string) bool) (schemas.Tenant, error) {
	return resolved(r.All(), id)
}

func collected(d fleet.Directory) (tenants []schemas.Tenant, err error) {
	for tenant, err := range d.All() {
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, tenant)
	}
	return tenants, nil
}

// expired are clients of which two credentials open nothing.
type expired struct{ fleet.Clients }

func (e expired) Reader(ctx context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	if credential != "app" {
		return nil, problems.New(problems.CodeCredentialExpired, "It has ended.")
	}
	return e.Clients.Reader(ctx, tenant, credential)
}

// A row is an identity in a tenant. Two credentials of one application are one
// row, which is known if either of them opens the tenant.
func TestAuditHasOneRowPerIdentity(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, func(o *fleet.Options) {
		o.Directory, o.Clients = rotating{o.Directory, ""}, expired{o.Clients}
	})
	for _, tenant := range h.sim.Tenants() {
		if err := h.sim.SetLink(tenant.TenantID, ours); err != nil {
			t.Fatal(err)
		}
	}
	report, rows := h.audited(expecting(ours))
	if report.Totals["rows"] != 3 || report.Totals["linked_expected"] != 2 || report.Totals["unknown"] != 1 || h.reads() != 2 {
		t.Errorf("%v, %d reads", report.Totals, h.reads())
	}
	for _, row := range rows {
		if (row.Credential == "person") != (row.State == answers.RowUnknown) {
			t.Errorf("%s of %s is %s", row.Credential, row.Tenant, row.State)
		}
	}
}

// What another credential sees is no answer about an identity that was another one
// so far: nothing is linked to an application that was made anew.
func TestRowIgnoresAnswerOfAnotherIdentity(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, func(o *fleet.Options) {
		o.Directory, o.Clients = rotating{o.Directory, "99999999-9999-4999-8999-999999999999"}, expired{o.Clients}
	})
	report, rows := h.audited(expecting(ours))
	if report.Totals["not_linked"] != 0 || report.Totals["unknown"] != 2 {
		t.Errorf("%v, %+v", report.Totals, rows)
	}
}

// rotated is the directory once the first credential was taken out.
type rotated struct {
	rotating
	over *bool
}

func (r rotated) All() iter.Seq2[schemas.Tenant, error] {
	tenants, err := collected(r.rotating)
	if err == nil && *r.over {
		tenants[0].Credentials, tenants[0].SameIdentity = []string{"app", "person"}, nil
	}
	return all(tenants, err)
}

func (r rotated) Resolve(id string, _ func(string) bool) (schemas.Tenant, error) {
	return resolved(r.All(), id)
}

// A link that is lost while its credential is replaced is newly missing.
func TestDiffFollowsAnIdentityThroughItsCredentials(t *testing.T) {
	t.Parallel()
	over := false
	h := build(t, simulator.Config{Tenants: 1}, func(o *fleet.Options) {
		o.Directory, o.Clients = rotated{rotating{o.Directory, ""}, &over}, expired{o.Clients}
	})
	if err := h.sim.SetLink("contoso", ours); err != nil {
		t.Fatal(err)
	}
	linked, _ := h.audited(expecting(ours))
	over = true
	again, _ := h.audited(expecting(ours))
	if err := h.sim.ClearLink("contoso"); err != nil {
		t.Fatal(err)
	}
	lost, _ := h.audited(expecting(ours))
	for _, change := range h.diff(linked, again) {
		t.Errorf("nothing but the credential differs, and %s is %s", change.Row().Credential, change.Kind)
	}
	if changes := h.diff(linked, lost); len(changes) != 1 || changes[0].Kind != answers.KindLinkVanished {
		t.Error(changes)
	}
}
