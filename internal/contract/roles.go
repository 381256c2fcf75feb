package contract

import (
	"context"
	"fmt"
	"net/http"

	"mcp-partner/internal/pec"
)

const authorization = "/providers/Microsoft.Authorization/"

// roles compares the calls that read roles, in the first subscription that this
// identity sees.
func (r *run) roles(ctx context.Context) {
	reader := r.Wire.client.Roles()
	var seen []pec.Subscription
	var identity pec.Identity
	all := r.Wire.during(ctx, func(ctx context.Context) { seen, identity, _ = reader.Subscriptions(ctx) })
	check := r.compare("GET of the subscriptions", all, http.MethodGet, "/subscriptions", expected{statuses: []int{200}})
	check.Answered += fmt.Sprintf(", %d subscriptions in %d pages", len(seen), len(all))
	r.add(check)

	all = r.Wire.during(ctx, func(ctx context.Context) { _, _ = reader.Schedules(ctx) })
	r.add(r.compare("GET of the own role schedules", all, http.MethodGet, authorization+"roleAssignmentScheduleInstances", expected{
		statuses: []int{200, 400}, codes: map[int][]string{400: {"AadPremiumLicenseRequired"}},
	}))
	r.assignments(ctx, reader, seen, identity)
}

func (r *run) assignments(ctx context.Context, reader pec.Reader, seen []pec.Subscription, identity pec.Identity) {
	want := expected{statuses: []int{200, 403}, codes: map[int][]string{403: {"AuthorizationFailed"}}}
	if len(seen) == 0 {
		r.skip("GET of the role assignments", want, "this identity sees no subscription")
		return
	}
	scope := "/subscriptions/" + seen[0].ID + authorization
	var held []pec.Assignment
	all := r.Wire.during(ctx, func(ctx context.Context) { held, _, _ = reader.Assignments(ctx, seen[0].ID, identity.ObjectID) })
	check := r.compare("GET of the role assignments", all, http.MethodGet, scope+"roleAssignments", want)
	check.Answered += fmt.Sprintf(", %d assignments in %d pages", len(held), len(all))
	r.add(check)

	want = expected{statuses: []int{200}}
	if len(held) == 0 || held[0].RoleID == "" {
		r.skip("GET of a role definition", want, "no role assignment could be read")
		return
	}
	all = r.Wire.during(ctx, func(ctx context.Context) { _, _ = reader.Role(ctx, seen[0].ID, held[0].RoleID) })
	r.add(r.compare("GET of a role definition", all, http.MethodGet, scope+"roleDefinitions/"+held[0].RoleID, want))
}

// skip reports a check that had nothing to ask about.
func (r *run) skip(name string, want expected, why string) {
	r.add(Check{Name: name, Documented: want.String(), Answered: "nothing", Verdict: Skipped, Details: []string{why}})
}
