package fleet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// holds gives a tenant so many subscriptions, with a role in each.
func (h *fixture) holds(tenant string, roles ...string) {
	h.t.Helper()
	var all simulator.Roles
	for i, role := range roles {
		id := fmt.Sprintf("10000000-0000-4000-8000-%012d", i+1)
		all.Subscriptions = append(all.Subscriptions, simulator.Subscription{ID: id, Name: fmt.Sprintf("Subscription %d", i+1)})
		if role != "" {
			all.Assignments = append(all.Assignments, simulator.RoleAssignment{RoleID: role, Scope: "/subscriptions/" + id})
		}
	}
	if err := h.sim.SetRoles(tenant, all); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) links(tenant string, linked bool) {
	h.t.Helper()
	err := h.sim.ClearLink(tenant)
	if linked {
		err = h.sim.SetLink(tenant, ours)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func withRoles() fleet.Audit { return fleet.Audit{ExpectedIDs: []string{ours}, Roles: true} }

func TestAuditSortsTenantsByLinkAndRoles(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 10}, nil)
	want := map[string]string{}
	for _, c := range []struct {
		tenant string
		linked bool
		roles  []string
		class  string
	}{
		{tenant: "contoso", linked: true, roles: []string{simulator.RoleOwner, simulator.RoleContributor}, class: answers.PECLinkedAll},
		{tenant: "fabrikam", linked: true, roles: []string{simulator.RoleOwner, simulator.RoleReader}, class: answers.PECLinkedSome},
		{tenant: "adventure-works", linked: true, roles: []string{simulator.RoleReader}, class: answers.PECLinkedNone},
		{tenant: "northwind", roles: []string{simulator.RoleOwner}, class: answers.PECRoleNoLink},
		{tenant: "litware", roles: []string{simulator.RoleReader}, class: answers.PECNeither},
		{tenant: "proseware", linked: true, class: answers.PECNoSubscription},
		{tenant: "tailspin", linked: true, roles: []string{simulator.RoleCostReader}, class: answers.PECRolesUnknown},
		{tenant: "wingtip", linked: true, roles: []string{simulator.RoleOwner}, class: answers.PECRolesUnknown},
		{tenant: "woodgrove", linked: true, roles: []string{simulator.RoleOwner}, class: answers.PECRolesUnknown},
		{tenant: "lucerne", linked: true, roles: []string{simulator.RoleOwner, simulator.RoleCostReader}, class: answers.PECLinkedSome},
	} {
		h.links(c.tenant, c.linked)
		h.holds(c.tenant, c.roles...)
		want[c.tenant] = c.class
	}
	h.sim.Inject(simulator.Rule{TenantID: "wingtip", Kind: simulator.FaultForbidden, Path: simulator.OpSubscriptions})
	h.sim.Inject(simulator.Rule{TenantID: "woodgrove", Kind: simulator.FaultForbidden, Path: simulator.OpPartners})
	report, rows := h.audited(withRoles())
	totals := map[string]int{}
	for _, row := range rows {
		totals[want[row.Tenant]]++
		if got := row.PECClass(); got != want[row.Tenant] {
			t.Errorf("%s is %s, want %s: %+v", row.Tenant, got, want[row.Tenant], row.PECRoles)
		}
	}
	for _, class := range answers.PECClasses() {
		if report.Totals[class] != totals[class] {
			t.Errorf("%s: %d, want %d", class, report.Totals[class], totals[class])
		}
	}
}

func TestAuditWithRolesSendsOneRequestASubscription(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, nil)
	for _, tenant := range h.sim.Tenants() {
		h.holds(tenant.Name, simulator.RoleOwner, simulator.RoleReader, simulator.RoleCognitive)
	}
	h.audited(withRoles())
	counts := map[simulator.Op]int{}
	for _, r := range h.sim.Journal() {
		counts[r.Op]++
	}
	if counts[simulator.OpPartners] != 3 || counts[simulator.OpSubscriptions] != 3 || counts[simulator.OpRoleSchedules] != 0 || counts[simulator.OpRoleDefinitions] != 0 {
		t.Errorf("%v", counts)
	}
	// Cognitive Services User alone may not read assignments, and is asked all the same.
	if counts[simulator.OpRoleAssignments] != 9 {
		t.Errorf("%d requests for 9 subscriptions", counts[simulator.OpRoleAssignments])
	}
}

// What was answered is not asked for again when one subscription has to wait.
func TestAuditAsksAgainOnlyForWhatIsMissing(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	h.links("contoso", true)
	h.holds("contoso", simulator.RoleOwner, simulator.RoleOwner, simulator.RoleOwner)
	h.sim.Inject(simulator.Rule{TenantID: "contoso", Kind: simulator.FaultThrottleBurst, Path: simulator.OpRoleAssignments, Times: 1, RetryAfter: time.Second})
	_, rows := h.audited(withRoles())
	for _, row := range rows {
		if row.Tenant == "contoso" && row.PECClass() != answers.PECLinkedAll {
			t.Errorf("%+v", row.PECRoles)
		}
	}
	counts := map[simulator.Op]int{}
	for _, r := range h.sim.Journal() {
		if r.TenantID == h.sim.Tenants()[0].TenantID {
			counts[r.Op]++
		}
	}
	if counts[simulator.OpPartners] != 1 || counts[simulator.OpSubscriptions] != 1 || counts[simulator.OpRoleAssignments] != 4 {
		t.Errorf("%v", counts)
	}
}

func TestDiffNamesRemovedRole(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	h.links("contoso", true)
	h.links("fabrikam", true)
	h.holds("contoso", simulator.RoleContributor)
	h.holds("fabrikam", simulator.RoleOwner)
	before, _ := h.audited(withRoles())
	h.holds("contoso", simulator.RoleReader)
	remove := h.sim.Inject(simulator.Rule{TenantID: "fabrikam", Kind: simulator.FaultForbidden, Path: simulator.OpRoleAssignments})
	after, _ := h.audited(withRoles())
	remove()
	said := map[string]string{}
	for _, change := range h.diff(before, after) {
		if want := map[string]answers.ChangeKind{"contoso": answers.KindRoleLost, "fabrikam": answers.KindRolesChanged}[change.Row().Tenant]; change.Kind != want {
			t.Errorf("%s: %s", change.Row().Tenant, change.Kind)
		}
		said[change.Row().Tenant] = strings.Join(change.Roles, " ")
	}
	if text := said["contoso"]; !strings.Contains(text, "Role removed: Contributor at /subscriptions/10000000-0000-4000-8000-000000000001.") || !strings.Contains(text, "Role added: Reader") {
		t.Errorf("contoso: %q", text)
	}
	if text := said["fabrikam"]; strings.Contains(text, "removed") || text == "" {
		t.Errorf("a role that could not be read was not removed: %q", text)
	}
}

func TestAuditWithoutRolesReadsNone(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	report, rows := h.audited(expecting(ours))
	if _, there := report.Totals[answers.PECLinkedAll]; there || rows[0].PECRoles != nil {
		t.Errorf("%v %+v", report.Totals, rows[0])
	}
}

func TestResumedAuditAsksAgainWhetherRolesMayBeRead(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	h.sim.Inject(simulator.Rule{TenantID: "contoso", Kind: simulator.FaultThrottleLong})
	active := h.begin(withRoles())
	active.Interrupt()
	if err := active.Wait(t.Context()); problemCode(err) != problems.CodeCancelled {
		t.Fatal(err)
	}
	less := everything()
	less.AdmitRoles = func(context.Context, schemas.Tenant) error {
		return problems.New(problems.CodeInsufficientScope, "No roles.")
	}
	if resumed, err := h.Resume(t.Context(), "test", active.ID(), less); resumed != nil || problemCode(err) != problems.CodeInsufficientScope {
		t.Errorf("resumed %v, %v", resumed, err)
	}
}
