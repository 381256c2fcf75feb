package contract

import (
	"context"

	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
)

const authorization = "/providers/Microsoft.Authorization/"

// roles compares the calls that read roles, in the first subscription that this
// identity sees.
func (r *run) roles(ctx context.Context) {
	reader := r.Wire.client.Roles()
	var seen []pec.Subscription
	var identity pec.Identity
	r.list(ctx, "GET of the subscriptions", schemas.PathSubscriptions, expected{statuses: []int{200}}, "subscriptions", func(ctx context.Context) int {
		seen, identity, _ = reader.Subscriptions(ctx)
		return len(seen)
	})
	r.get(ctx, "GET of the own role schedules", schemas.PathRoleSchedules, expected{
		statuses: []int{200, 400}, codes: map[int][]string{400: {"AadPremiumLicenseRequired"}},
	}, func(ctx context.Context) { _, _ = reader.Schedules(ctx) })
	r.assignments(ctx, reader, seen, identity)
}

func (r *run) assignments(ctx context.Context, reader pec.Reader, seen []pec.Subscription, identity pec.Identity) {
	want := expected{statuses: []int{200, 403}, codes: map[int][]string{403: {"AuthorizationFailed"}}}
	if len(seen) == 0 {
		r.skip("GET of the role assignments", want, "this identity sees no subscription")
		return
	}
	id := seen[0].ID
	scope := "/subscriptions/" + id + authorization
	var held []pec.Assignment
	r.list(ctx, "GET of the role assignments", scope+"roleAssignments", want, "assignments", func(ctx context.Context) int {
		held, _, _ = reader.Assignments(ctx, id, identity.ObjectID)
		return len(held)
	})
	want = expected{statuses: []int{200}}
	if len(held) == 0 || held[0].RoleID == "" {
		r.skip("GET of a role definition", want, "no role assignment could be read")
		return
	}
	r.get(ctx, "GET of a role definition", scope+"roleDefinitions/"+held[0].RoleID, want,
		func(ctx context.Context) { _, _ = reader.Role(ctx, id, held[0].RoleID) })
}
