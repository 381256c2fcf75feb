package armclient

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/pec"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// Roles returns what reads subscriptions and roles, by the lists of this package.
// Microsoft's modules give the rows: they compare names of members exactly.
func (c *Client) Roles() pec.Reader { return roleReader{c} }

type roleReader struct{ *Client }

func (r roleReader) Subscriptions(ctx context.Context) ([]pec.Subscription, pec.Identity, error) {
	rows, seen, err := list(ctx, r.Client, schemas.PathSubscriptions, versionQuery(schemas.TenantsAPIVersion), subscription)
	return rows, pec.Identity{TenantID: seen.claims.tenantID, ObjectID: seen.claims.objectID}, roleProblem(err)
}

func (r roleReader) Assignments(ctx context.Context, subscriptionID, objectID string) ([]pec.Assignment, string, error) {
	if !naming.IsGUID(subscriptionID) || !naming.IsGUID(objectID) {
		return nil, "", problems.New(problems.CodeInvalidArgument, "The subscription ID and the object ID must be GUIDs.")
	}
	path := strings.Replace(schemas.PathRoleAssignments, "{subscription_id}", subscriptionID, 1)
	rows, seen, err := list(ctx, r.Client, path, versionQuery(schemas.RolesAPIVersion)+"&$filter=assignedTo('"+objectID+"')", assignment)
	if err == nil && !strings.EqualFold(seen.claims.objectID, objectID) {
		err = problems.New(problems.CodeWrongIdentity, "The token changed to another identity while roles were read.")
	}
	return rows, untrusted.Sanitize(seen.requestID), roleProblem(err)
}

func (r roleReader) Schedules(ctx context.Context) ([]pec.Schedule, error) {
	rows, _, err := list(ctx, r.Client, schemas.PathRoleSchedules, versionQuery(schemas.SchedulesAPIVersion)+"&$filter=asTarget()", schedule)
	return rows, roleProblem(err)
}

func (r roleReader) Role(ctx context.Context, subscriptionID, roleID string) (pec.Role, error) {
	ctx, _ = withRecord(ctx)
	path := strings.NewReplacer("{subscription_id}", url.PathEscape(subscriptionID), "{role_id}", url.PathEscape(roleID)).Replace(schemas.PathRoleDefinition)
	resp, err := r.conn.read(ctx, path, schemas.RolesAPIVersion)
	if err != nil {
		return pec.Role{}, roleProblem(err)
	}
	definition, err := decodeJSON[armauthorization.RoleDefinition](resp)
	p := definition.Properties
	switch {
	case err != nil:
		return pec.Role{}, err
	case p == nil || p.RoleName == nil:
		return pec.Role{}, problems.New(problems.CodeUnexpectedResponse, "ARM answered with a role definition that has no name.")
	}
	return pec.Role{ID: roleID, Name: clean(p.RoleName), Custom: strings.EqualFold(value(p.RoleType), "CustomRole")}, nil
}

func subscription(s armsubscriptions.Subscription) (pec.Subscription, bool) {
	row := pec.Subscription{
		ID: strings.ToLower(value(s.SubscriptionID)), TenantID: strings.ToLower(value(s.TenantID)),
		Name: clean(s.DisplayName), State: untrusted.Sanitize(value((*string)(s.State))), Listed: true,
	}
	for _, m := range s.ManagedByTenants {
		if m != nil && naming.IsGUID(value(m.TenantID)) {
			row.ManagedBy = append(row.ManagedBy, strings.ToLower(*m.TenantID))
		}
	}
	slices.Sort(row.ManagedBy)
	return row, naming.IsGUID(row.ID)
}

// assignment keeps what is null: it is an assignment that cannot be read.
func assignment(a armauthorization.RoleAssignment) (pec.Assignment, bool) {
	p := cmp.Or(a.Properties, &armauthorization.RoleAssignmentProperties{})
	return pec.Assignment{
		RoleID: pec.RoleIDOf(value(p.RoleDefinitionID)), PrincipalID: value(p.PrincipalID),
		PrincipalType: value((*string)(p.PrincipalType)), Scope: value(p.Scope), Conditional: value(p.Condition) != "", Created: at(p.CreatedOn),
	}, true
}

func schedule(s armauthorization.RoleAssignmentScheduleInstance) (pec.Schedule, bool) {
	p := s.Properties
	if p == nil {
		return pec.Schedule{}, false
	}
	return pec.Schedule{
		RoleID: pec.RoleIDOf(value(p.RoleDefinitionID)), PrincipalID: value(p.PrincipalID), Scope: value(p.Scope),
		Activated: strings.EqualFold(value((*string)(p.AssignmentType)), string(armauthorization.AssignmentTypeActivated)),
		Start:     at(p.StartDateTime), End: at(p.EndDateTime),
	}, true
}

func clean(s *string) string { return untrusted.Sanitize(value(s)) }

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// at drops .NET's zero time.
func at(t *time.Time) time.Time {
	if t == nil || t.Year() <= 1 {
		return time.Time{}
	}
	return *t
}

// roleProblem takes back what a rejection says of links.
func roleProblem(err error) error {
	if err == nil {
		return nil
	}
	problem := problems.As(err)
	if problem.Code != problems.CodeNotLinked && problem.Code != problems.CodeForeignPrincipal && problem.Code != problems.CodeProviderUnavailable {
		return problem
	}
	own := *problem
	own.Code, own.Message, own.Retryable = problems.CodeUnexpectedResponse, "ARM does not know the subscription, or does not show it to this identity.", false
	own.Hint = "Check the subscription's ID, and whether this identity has a role in it."
	return &own
}
