package pec_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/pec"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

const (
	sub1    = "10000000-0000-4000-8000-000000000001"
	sub2    = "10000000-0000-4000-8000-000000000002"
	group   = "20000000-0000-4000-8000-000000000001"
	nested  = "20000000-0000-4000-8000-000000000002"
	other   = "30000000-0000-4000-8000-000000000001"
	custom  = "40000000-0000-4000-8000-000000000001"
	newRole = "40000000-0000-4000-8000-000000000002"
	manager = "50000000-0000-4000-8000-000000000001"
	blank   = "00000000-0000-4000-8000-00000000000f"
	// Roles by the list, written out by hand.
	owner, contributor, reader = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	support, userAccess        = "cfd33db0-3dd1-45e3-aa9d-cdbdf3b6f24e", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	costReader, cognitive      = "72fafb9e-0641-4937-9268-a91bfd8191a3", "a97b65f3-24c7-4388-baec-2e87135dc908"
	acrPull                    = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
	at1, at2                   = "/subscriptions/" + sub1, "/subscriptions/" + sub2
	team                       = "/providers/Microsoft.Management/managementGroups/team"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

type (
	roles = simulator.Roles
	sub   = simulator.Subscription
	held  = simulator.RoleAssignment
)

// one is a tenant with one subscription, in which the application holds roles.
func one(assignments ...held) roles {
	return roles{Subscriptions: []sub{{ID: sub1, Name: "Production", ManagementGroups: []string{"team"}}}, Assignments: assignments}
}

type oddTenant struct {
	name  string
	roles roles
	// want is the verdict on the one subscription, with + for partial, or all
	// verdicts by the last digit of the subscription.
	want string
	// why is a part of what is said.
	why   string
	rule  *simulator.Rule
	named []string
}

func withReader(more ...held) roles { return one(append(more, held{RoleID: reader, Scope: at1})...) }

func lighthouse(r roles) roles {
	r.Subscriptions[0].TenantID, r.Subscriptions[0].ManagedBy = other, []string{"HOME"}
	r.Subscriptions[0].Visible = []string{"APP"}
	return r
}

func inState(state string, r roles) roles { r.Subscriptions[0].State = state; return r }

func visible(r roles) roles { r.Subscriptions[0].Visible = []string{"APP"}; return r }

func hidden(r roles) roles { r.Subscriptions[0].Hidden = []string{"APP"}; return r }

func managed(r roles) roles { r.Subscriptions[0].ManagedBy = []string{manager}; return r }

func through(chain map[string][]string, r roles) roles { r.Groups = chain; return r }

func paged(size int, r roles) roles { r.PageSize = size; return r }

func defined(r roles) roles {
	r.Definitions = []simulator.RoleDefinition{{ID: custom, Name: "Operator of Contoso", Custom: true, Reads: true}, {ID: newRole, Name: "Brand New Operator", Reads: true}}
	return r
}

func two(first, second []held) roles {
	return roles{Subscriptions: []sub{{ID: sub1, Name: "Production", ManagementGroups: []string{"team"}}, {ID: sub2, Name: "Sandbox", ManagementGroups: []string{"team"}}},
		Assignments: append(first, second...)}
}

// oddTenants were written by hand; the verdicts come from the rule, not from the program.
func oddTenants() []oddTenant {
	hour := time.Hour
	byGroup := map[string][]string{group: {"APP"}}
	return []oddTenant{
		{name: "Owner at the subscription", roles: one(held{RoleID: owner, Scope: at1}), want: "eligible_role", why: "Owner."},
		{name: "Contributor at the subscription", roles: one(held{RoleID: contributor, Scope: at1}), want: "eligible_role"},
		{name: "Reader alone", roles: withReader(), want: "no_eligible_role", why: "Reader"},
		{name: "Reader and Support Request Contributor", roles: withReader(held{RoleID: support, Scope: at1}), want: "eligible_role", why: "Support Request Contributor"},
		{name: "User Access Administrator at the root", roles: one(held{RoleID: userAccess, Scope: "/"}), want: "eligible_role", why: "at /"},
		{name: "Owner at the management group", roles: one(held{RoleID: owner, Scope: team}), want: "eligible_role", why: "managementGroups/team"},
		{name: "Reader at the management group", roles: one(held{RoleID: reader, Scope: team}), want: "no_eligible_role"},
		{name: "Owner of another management group", roles: withReader(held{RoleID: owner, Scope: team + "s"}), want: "no_eligible_role"},
		{name: "one read action on the list", roles: withReader(held{RoleID: acrPull, Scope: at1}), want: "eligible_role", why: "ACRPull"},
		{name: "many actions not on the list", roles: withReader(held{RoleID: cognitive, Scope: at1}), want: "no_eligible_role", why: "Cognitive Services User"},
		{name: "Owner through a group", roles: through(byGroup, one(held{RoleID: owner, PrincipalID: group, PrincipalType: "Group", Scope: at1})), want: "eligible_role", why: "through group " + group},
		{name: "Owner through a group in a group", roles: through(map[string][]string{group: {nested}, nested: {"APP"}}, one(held{RoleID: owner, PrincipalID: group, PrincipalType: "Group", Scope: at1})), want: "eligible_role"},
		{name: "groups in a circle", roles: through(map[string][]string{group: {nested}, nested: {group, "APP"}}, one(held{RoleID: owner, PrincipalID: group, PrincipalType: "Group", Scope: at1})), want: "eligible_role"},
		{name: "Owner of a group without this identity", roles: through(map[string][]string{group: {other}}, withReader(held{RoleID: owner, PrincipalID: group, PrincipalType: "Group", Scope: at1})), want: "no_eligible_role"},
		{name: "Owner is somebody else", roles: withReader(held{RoleID: owner, PrincipalID: other, PrincipalType: "User", Scope: at1}), want: "no_eligible_role"},
		{name: "group of another tenant", roles: through(byGroup, withReader(held{RoleID: owner, PrincipalID: group, PrincipalType: "ForeignGroup", Scope: at1})), want: "unknown", why: "group of another tenant"},
		{name: "group of another tenant beside a role of one's own", roles: through(byGroup, one(held{RoleID: owner, PrincipalID: group, PrincipalType: "ForeignGroup", Scope: at1}, held{RoleID: contributor, Scope: at1})), want: "eligible_role", why: "Contributor"},
		{name: "a kind of principal that is new", roles: through(byGroup, withReader(held{RoleID: owner, PrincipalID: group, PrincipalType: "AgentGroup", Scope: at1})), want: "unknown"},
		{name: "custom role", roles: defined(one(held{RoleID: custom, Scope: at1})), want: "unlisted_role", why: "Operator of Contoso"},
		{name: "custom role and Reader", roles: defined(withReader(held{RoleID: custom, Scope: at1})), want: "unlisted_role"},
		{name: "custom role and Owner", roles: defined(one(held{RoleID: custom, Scope: at1}, held{RoleID: owner, Scope: at1})), want: "eligible_role"},
		{name: "built-in role that is newer than the list", roles: defined(one(held{RoleID: newRole, Scope: at1})), want: "unlisted_role", why: "Brand New Operator"},
		{name: "role whose name nobody knows", roles: withReader(held{RoleID: blank, Scope: at1}), want: "unlisted_role", why: blank},
		{name: "Contributor at a resource group, Reader above", roles: withReader(held{RoleID: contributor, Scope: at1 + "/resourceGroups/app"}), want: "eligible_role+", why: "Only below the subscription"},
		{name: "Contributor at a resource, Reader above", roles: withReader(held{RoleID: contributor, Scope: at1 + "/resourceGroups/app/providers/Microsoft.Web/sites/shop"}), want: "eligible_role+"},
		{name: "resource group and subscription", roles: one(held{RoleID: contributor, Scope: at1 + "/resourceGroups/app"}, held{RoleID: support, Scope: at1}), want: "eligible_role", why: "Support Request Contributor."},
		{name: "resource group alone", roles: one(held{RoleID: contributor, Scope: at1 + "/resourceGroups/app"}), want: "unknown", why: "403"},
		{name: "reader of costs alone", roles: one(held{RoleID: costReader, Scope: at1}), want: "unknown", why: "403"},
		{name: "Owner whose reading is denied", roles: hidden(one(held{RoleID: owner, Scope: at1})), want: "unknown", why: "may hold roles"},
		{name: "role that could be activated", roles: withReader(held{RoleID: owner, Scope: at1, Eligible: true}), want: "no_eligible_role"},
		{name: "role activated for hours", roles: withReader(held{RoleID: owner, Scope: at1, Activated: true, Start: now.Add(-hour), End: now.Add(3 * hour)}), want: "eligible_role", why: "until 2026-11-30T15:00:00Z"},
		{name: "activation that is over", roles: withReader(held{RoleID: owner, Scope: at1, Activated: true, Start: now.Add(-9 * hour), End: now.Add(-hour)}), want: "no_eligible_role"},
		{name: "assignment that begins tomorrow", roles: withReader(held{RoleID: owner, Scope: at1, Start: now.Add(24 * hour)}), want: "no_eligible_role"},
		{name: "permanent role beside one for hours", roles: one(held{RoleID: owner, Scope: at1, Activated: true, Start: now.Add(-hour), End: now.Add(hour)}, held{RoleID: contributor, Scope: at1}), want: "eligible_role", why: "Contributor."},
		{name: "no licence for schedules", roles: roles{Subscriptions: one().Subscriptions, Unlicensed: true, Assignments: []held{{RoleID: owner, Scope: at1}}}, want: "eligible_role", why: "Owner."},
		{name: "Owner under a condition", roles: withReader(held{RoleID: owner, Scope: at1, Condition: "@Resource[x] StringEquals 'y'"}), want: "unknown", why: "under a condition"},
		{name: "Reader under a condition", roles: one(held{RoleID: reader, Scope: at1, Condition: "@Resource[x] StringEquals 'y'"}), want: "no_eligible_role"},
		{name: "Owner under a condition and without one", roles: one(held{RoleID: owner, Scope: at1, Condition: "c"}, held{RoleID: owner, Scope: at1}), want: "eligible_role"},
		{name: "delegated by Lighthouse", roles: lighthouse(one()), want: "unknown", why: "Lighthouse"},
		{name: "delegated by Lighthouse, Owner as well", roles: lighthouse(one(held{RoleID: owner, Scope: at1})), want: "eligible_role"},
		{name: "delegated to somebody else", roles: managed(withReader()), want: "no_eligible_role"},
		{name: "seen without an assignment", roles: visible(one()), want: "unknown", why: "no role assignment that explains it"},
		{name: "disabled, Owner", roles: inState("Disabled", one(held{RoleID: owner, Scope: at1})), want: "eligible_role", why: "state is Disabled"},
		{name: "disabled, Reader", roles: inState("Disabled", withReader()), want: "no_eligible_role", why: "state is Disabled"},
		{name: "deleted, Owner", roles: inState("Deleted", one(held{RoleID: owner, Scope: at1})), want: "eligible_role", why: "state is Deleted"},
		{name: "no subscription at all", roles: roles{}, want: ""},
		{name: "no role in the subscription that there is", roles: one(), want: ""},
		{name: "subscription named that this identity does not see", roles: one(), named: []string{sub1}, want: "unknown", why: "403"},
		{name: "subscription named that is nowhere", roles: roles{}, named: []string{sub2}, want: "unknown", why: "403"},
		{name: "two subscriptions, one Owner", roles: two([]held{{RoleID: owner, Scope: at1}}, []held{{RoleID: reader, Scope: at2}}), want: "1 eligible_role, 2 no_eligible_role"},
		{name: "two subscriptions below one management group", roles: two([]held{{RoleID: contributor, Scope: team}}, nil), want: "1 eligible_role, 2 eligible_role"},
		{name: "role at one, and the other is not seen", roles: two([]held{{RoleID: contributor, Scope: at1}}, nil), want: "1 eligible_role"},
		{name: "one of two asked for", roles: two([]held{{RoleID: owner, Scope: at1}}, []held{{RoleID: reader, Scope: at2}}), named: []string{strings.ToUpper(sub2)}, want: "2 no_eligible_role"},
		{name: "a row a page", roles: paged(1, two([]held{{RoleID: reader, Scope: at1}, {RoleID: owner, Scope: at1}}, []held{{RoleID: reader, Scope: at2}, {RoleID: support, Scope: at2}})), want: "1 eligible_role, 2 eligible_role"},
		{name: "scopes in capitals", roles: one(held{RoleID: owner, Scope: strings.ToUpper(at1)}), want: "eligible_role"},
		{name: "GUID of the role in capitals", roles: one(held{RoleID: strings.ToUpper(owner), Scope: at1}), want: "eligible_role"},
		{name: "ARM is down", roles: one(held{RoleID: owner, Scope: at1}), rule: &simulator.Rule{Kind: simulator.FaultServerError, Path: simulator.OpRoleAssignments}, want: "unknown"},
		{name: "a page of a gateway", roles: withReader(), rule: &simulator.Rule{Kind: simulator.FaultHTML, Path: simulator.OpRoleAssignments}, want: "unknown"},
		{name: "nothing with 404", roles: withReader(), rule: &simulator.Rule{Kind: simulator.FaultEmpty404, Path: simulator.OpRoleAssignments}, want: "unknown"},
		{name: "answer that breaks off", roles: withReader(), rule: &simulator.Rule{Kind: simulator.FaultCutBody, Path: simulator.OpRoleAssignments}, want: "unknown"},
		{name: "token without identity", roles: withReader(), rule: &simulator.Rule{Kind: simulator.FaultOpaqueToken, Path: simulator.OpToken}, want: "failed token_unreadable"},
		{name: "subscriptions are forbidden", roles: withReader(), rule: &simulator.Rule{Kind: simulator.FaultForbidden, Path: simulator.OpSubscriptions}, want: "failed forbidden"},
	}
}

func TestVerdictsOnOddTenants(t *testing.T) {
	t.Parallel()
	for _, odd := range oddTenants() {
		t.Run(odd.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, odd.roles)
			if odd.rule != nil {
				w.sim.Inject(*odd.rule)
			}
			result := w.check(t, pec.Options{Only: odd.named, Details: true})
			if got := verdicts(result, odd.want); got != odd.want {
				t.Fatalf("%s\nwant %s\n%+v", got, odd.want, result)
			}
			if odd.why != "" && !strings.Contains(result.Rows[0].Why, odd.why) {
				t.Errorf("why: %q\nshould say %q", result.Rows[0].Why, odd.why)
			}
			checkWords(t, result)
		})
	}
}

// verdicts words a result as the table does.
func verdicts(r *answers.PECRoles, like string) string {
	if r.Reason != "" {
		return "failed " + r.Reason
	}
	var list []string
	for _, row := range r.Rows {
		text := string(row.Verdict)
		if row.Partial {
			text += "+"
		}
		if strings.Contains(like, " ") {
			text = row.SubscriptionID[len(row.SubscriptionID)-1:] + " " + text
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// checkWords holds every answer to what may never be said, and to what always is.
func checkWords(t *testing.T, r *answers.PECRoles) {
	t.Helper()
	if r.ListDate != "2020-12" || len(r.NotChecked) == 0 {
		t.Errorf("the answer says neither the date of the list nor what was not checked: %+v", r)
	}
	for _, row := range r.Rows {
		if row.Why == "" || row.Verdict == answers.PECUnknown && (row.Reason == "" || row.Fix == "") {
			t.Errorf("a verdict without its reason: %+v", row)
		}
		for _, word := range []string{"earn", "paid", "payment"} {
			if strings.Contains(strings.ToLower(row.Why+row.Fix), word) {
				t.Errorf("%q must not be said: %q %q", word, row.Why, row.Fix)
			}
		}
	}
}

func TestThereAreFortyOddTenants(t *testing.T) {
	t.Parallel()
	if n := len(oddTenants()); n < 40 {
		t.Errorf("%d odd tenants", n)
	}
}

func (w *world) check(t *testing.T, o pec.Options) *answers.PECRoles {
	t.Helper()
	o.Now, o.Parallel = func() time.Time { return now }, 2
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reading := pec.NewReading(w.client.Roles(), o)
	for range 3 {
		if reading.Continue(ctx) == nil {
			break
		}
	}
	return reading.Result()
}
