package armclient

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/pec"
	"mcp-partner/internal/strictjson"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// roleClients are Microsoft's clients for subscriptions and roles, on pipelines
// with the same gate as all others.
type roleClients struct {
	subscriptions *armsubscriptions.Client
	assignments   *armauthorization.RoleAssignmentsClient
	definitions   *armauthorization.RoleDefinitionsClient
	schedules     *armauthorization.RoleAssignmentScheduleInstancesClient
}

// lazyRoleClients makes them when roles are asked for: most processes never do.
func lazyRoleClients(credential azcore.TokenCredential, o Options, endpoint *url.URL) func() (roleClients, error) {
	return sync.OnceValues(func() (roleClients, error) {
		options := pipelineOptions(o, endpoint)
		options.PerCallPolicies = []policy.Policy{listPolicy{}}
		subscriptions, err := armsubscriptions.NewClient(tokenSource{credential}, options)
		if err != nil {
			return roleClients{}, invalid("azcore rejects the ARM endpoint and audience.")
		}
		// The subscription is named in each call's scope.
		factory, err := armauthorization.NewClientFactory("00000000-0000-0000-0000-000000000000", tokenSource{credential}, options)
		if err != nil {
			return roleClients{}, invalid("azcore rejects the ARM endpoint and audience.")
		}
		return roleClients{
			subscriptions: subscriptions, assignments: factory.NewRoleAssignmentsClient(),
			definitions: factory.NewRoleDefinitionsClient(), schedules: factory.NewRoleAssignmentScheduleInstancesClient(),
		}, nil
	})
}

type roleReader struct {
	client *Client
	retry  policy.RetryOptions
}

// Roles returns a reader that repeats a request as Link does.
func (c *Client) Roles() pec.Reader { return &roleReader{c, readRetry(c.options)} }

// RolesOnce returns a reader that sends each request once, as LinkOnce does.
func (c *Client) RolesOnce() pec.Reader { return &roleReader{c, noRetry()} }

func (r *roleReader) Subscriptions(ctx context.Context) ([]pec.Subscription, pec.Identity, error) {
	ctx, seen, cancel := r.begin(ctx)
	defer cancel()
	clients, err := r.client.roles()
	if err != nil {
		return nil, pec.Identity{}, err
	}
	rows, err := collectRoles(ctx, clients.subscriptions.NewListPager(nil), func(page armsubscriptions.ClientListResponse) []pec.Subscription {
		return convert(page.Value, subscription)
	})
	return rows, pec.Identity{TenantID: seen.claims.tenantID, ObjectID: seen.claims.objectID}, err
}

func (r *roleReader) Assignments(ctx context.Context, subscriptionID, objectID string) ([]pec.Assignment, string, error) {
	ctx, seen, cancel := r.begin(ctx)
	defer cancel()
	clients, err := r.client.roles()
	if err != nil {
		return nil, "", err
	}
	if !naming.IsGUID(subscriptionID) || !naming.IsGUID(objectID) {
		return nil, "", problems.New(problems.CodeInvalidArgument, "The subscription ID and the object ID must be GUIDs.")
	}
	filter := "assignedTo('" + objectID + "')"
	pager := clients.assignments.NewListForScopePager("subscriptions/"+subscriptionID, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: &filter})
	rows, err := collectRoles(ctx, pager, func(page armauthorization.RoleAssignmentsClientListForScopeResponse) []pec.Assignment {
		return xslices.Map(page.Value, assignment)
	})
	if err == nil && !strings.EqualFold(seen.claims.objectID, objectID) {
		err = problems.New(problems.CodeWrongIdentity, "The token changed to another identity while roles were read.")
	}
	return rows, untrusted.Sanitize(seen.requestID), err
}

func (r *roleReader) Schedules(ctx context.Context) ([]pec.Schedule, error) {
	ctx, _, cancel := r.begin(ctx)
	defer cancel()
	clients, err := r.client.roles()
	if err != nil {
		return nil, err
	}
	filter := "asTarget()"
	pager := clients.schedules.NewListForScopePager("", &armauthorization.RoleAssignmentScheduleInstancesClientListForScopeOptions{Filter: &filter})
	return collectRoles(ctx, pager, func(page armauthorization.RoleAssignmentScheduleInstancesClientListForScopeResponse) []pec.Schedule {
		return convert(page.Value, schedule)
	})
}

func (r *roleReader) Role(ctx context.Context, subscriptionID, roleID string) (pec.Role, error) {
	ctx, _, cancel := r.begin(ctx)
	defer cancel()
	clients, err := r.client.roles()
	if err != nil {
		return pec.Role{}, err
	}
	resp, err := clients.definitions.Get(ctx, "subscriptions/"+subscriptionID, roleID, nil)
	if err != nil {
		return pec.Role{}, roleProblem(ctx, err)
	}
	p := resp.Properties
	if p == nil || p.RoleName == nil {
		return pec.Role{}, problems.New(problems.CodeUnexpectedResponse, "ARM answered with a role definition that has no name.")
	}
	return pec.Role{ID: roleID, Name: clean(p.RoleName), Custom: strings.EqualFold(value(p.RoleType), "CustomRole")}, nil
}

// begin prepares a context as connection.send does for the provider's calls.
func (r *roleReader) begin(ctx context.Context) (context.Context, *record, context.CancelFunc) {
	ctx, cancel := withDeadline(ctx, readTime)
	ctx, seen := withRecord(ctx)
	ctx = policy.WithHTTPHeader(ctx, http.Header{})
	return policy.WithRetryOptions(ctx, r.retry), seen, cancel
}

// collectRoles reads all pages. Unlike collect it gives the modules' errors words.
func collectRoles[P, R any](ctx context.Context, pager *runtime.Pager[P], rowsOf func(P) []R) ([]R, error) {
	var rows []R
	ctx = context.WithValue(ctx, trailKey{}, &trail{})
	for pages := 0; pager.More(); pages++ {
		if pages == maxPages || len(rows) > maxRows {
			return nil, tooLong()
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, roleProblem(ctx, err)
		}
		rows = append(rows, rowsOf(page)...)
	}
	return rows, nil
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

// assignment is empty for what is null: it is an assignment that cannot be read.
func assignment(a *armauthorization.RoleAssignment) pec.Assignment {
	if a == nil || a.Properties == nil {
		return pec.Assignment{}
	}
	p := a.Properties
	return pec.Assignment{
		RoleID: pec.RoleIDOf(value(p.RoleDefinitionID)), PrincipalID: value(p.PrincipalID),
		PrincipalType: value((*string)(p.PrincipalType)), Scope: value(p.Scope), Conditional: value(p.Condition) != "", Created: at(p.CreatedOn),
	}
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

// listPolicy holds Microsoft's modules to what the rest of this package holds
// itself to: they would take an empty answer for an empty list, and follow a
// nextLink into another list or in a circle.
type listPolicy struct{}

type trailKey struct{}

func (listPolicy) Do(req *policy.Request) (*http.Response, error) {
	u := req.Raw().URL
	u.Path, u.RawPath = "/"+strings.TrimLeft(u.Path, "/"), "" // the scope of the whole tenant is empty
	list, _ := req.Raw().Context().Value(trailKey{}).(*trail)
	if list != nil {
		if err := list.enter(u); err != nil {
			return nil, final{err}
		}
	}
	resp, err := req.Next()
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if !usable(resp, list != nil) {
		return nil, final{unusable(resp)}
	}
	return resp, nil
}

// usable reports whether a body is one JSON object, and that of a list has rows.
func usable(resp *http.Response, list bool) bool {
	body, err := runtime.Payload(resp)
	if err != nil || !jsonContent(resp.Header) {
		return false
	}
	needed := "properties"
	if list {
		needed = "value"
	}
	members, err := strictjson.Named(withoutBOM(body), needed, "nextLink", "error")
	if err != nil || members["error"] != nil {
		return false
	}
	rows := bytes.TrimSpace(members[needed])
	return len(rows) > 0 && (list && rows[0] == '[' || !list && rows[0] == '{')
}

// roleProblem gives an error of the modules our own words; theirs quote bodies.
func roleProblem(ctx context.Context, err error) error {
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok && answer.RawResponse != nil {
		return roleRejection(rejected(ctx, answer.RawResponse))
	}
	var known *problems.Problem
	if !errors.As(err, &known) && recordOf(ctx).status == http.StatusOK && ctx.Err() == nil && netProblem(err) == nil {
		return problems.New(problems.CodeUnexpectedResponse, "ARM answered 200 with a body that is not a list of this kind.")
	}
	return failed(ctx, err)
}

// roleRejection takes back what rejected says of links.
func roleRejection(err error) error {
	problem := problems.As(err)
	if problem.Code != problems.CodeNotLinked && problem.Code != problems.CodeForeignPrincipal && problem.Code != problems.CodeProviderUnavailable {
		return problem
	}
	own := *problem
	own.Code, own.Message, own.Retryable = problems.CodeUnexpectedResponse, "ARM does not know the subscription, or does not show it to this identity.", false
	own.Hint = "Check the subscription's ID, and whether this identity has a role in it."
	return &own
}
