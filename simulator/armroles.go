package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp-partner/internal/xslices"
)

// The api-versions of roles.
const (
	rolesAPIVersion     = "2022-04-01"
	schedulesAPIVersion = "2020-10-01"
)

// subscriptions lists what the identity sees: where it holds any role, or what
// is delegated to it.
func (c *call) subscriptions() answer {
	roles := c.sim.rolesOf(c.tenant)
	rows := []any{}
	for _, s := range roles.Subscriptions {
		if c.sees(roles, s) {
			rows = append(rows, c.subscriptionRow(s))
		}
	}
	return c.page(roles, rows)
}

func (c *call) sees(roles Roles, s Subscription) bool {
	if slices.Contains(s.Visible, c.who.objectID) {
		return true
	}
	return slices.ContainsFunc(roles.Assignments, func(a RoleAssignment) bool {
		return a.active(c.now) && s.reaches(a.Scope) && roles.holds(a, c.who.objectID, c.tenant.app().objectID)
	})
}

func (c *call) subscriptionRow(s Subscription) map[string]any {
	managed := xslices.Map(s.ManagedBy, func(id string) any { return map[string]string{"tenantId": id} })
	return map[string]any{
		"id": "/subscriptions/" + s.ID, "subscriptionId": s.ID, "tenantId": cmp.Or(s.TenantID, c.tenant.TenantID), "displayName": c.shown(s.Name),
		"state": cmp.Or(s.State, "Enabled"), "authorizationSource": "RoleBased", "managedByTenants": managed,
		"subscriptionPolicies": map[string]string{"locationPlacementId": "Public_2014-09-01", "quotaId": "CSP_2015-05-01", "spendingLimit": "Off"},
	}
}

func (c *call) subscription(roles Roles) (Subscription, bool) {
	return xslices.Find(roles.Subscriptions, func(s Subscription) bool { return strings.EqualFold(s.ID, c.route.arg) })
}

// roleAssignments lists the assignments at, above and below a subscription.
func (c *call) roleAssignments() answer {
	roles := c.sim.rolesOf(c.tenant)
	s, ok := c.subscription(roles)
	if !ok || !c.mayRead(roles, s) {
		return c.mayNotRead("roleAssignments", c.route.arg)
	}
	matches, ok := c.filter(roles)
	if !ok {
		return armError(400, "UnsupportedQuery", "The filter '"+clip(c.r.URL.Query().Get("$filter"))+"' is not supported. Supported filters are either 'atScope()' or 'principalId eq '{value}' or assignedTo('{value}')'.")
	}
	rows := []any{}
	for i, a := range roles.Assignments {
		if a.active(c.now) && s.reaches(a.Scope) && matches(a) {
			rows = append(rows, c.assignmentRow(s, a, i))
		}
	}
	return c.page(roles, rows)
}

// mayRead wants a role at the subscription or above that lets its holder read
// role assignments.
func (c *call) mayRead(roles Roles, s Subscription) bool {
	if slices.Contains(s.Hidden, c.who.objectID) {
		return false
	}
	if slices.Contains(s.Visible, c.who.objectID) {
		return true
	}
	return slices.ContainsFunc(roles.Assignments, func(a RoleAssignment) bool {
		role, _ := roles.definition(a.RoleID)
		return role.Reads && a.active(c.now) && s.above(a.Scope) && roles.holds(a, c.who.objectID, c.tenant.app().objectID)
	})
}

func (c *call) mayNotRead(kind, subscription string) answer {
	return armError(http.StatusForbidden, "AuthorizationFailed", fmt.Sprintf("The client '%s' with object id '%s' does not have authorization to perform action "+
		"'Microsoft.Authorization/%s/read' over scope '/subscriptions/%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		c.who.objectID, c.who.objectID, kind, clip(subscription)))
}

// filter reads $filter as far as it is supported.
func (c *call) filter(roles Roles) (func(RoleAssignment) bool, bool) {
	text := c.r.URL.Query().Get("$filter")
	app := c.tenant.app().objectID
	if id, ok := between(text, "assignedTo('", "')"); ok {
		return func(a RoleAssignment) bool { return roles.holds(a, id, app) }, true
	}
	if id, ok := between(text, "principalId eq '", "'"); ok {
		return func(a RoleAssignment) bool { return strings.EqualFold(cmp.Or(a.PrincipalID, app), id) }, true
	}
	return func(RoleAssignment) bool { return true }, text == "" || text == "atScope()"
}

func between(text, before, after string) (string, bool) {
	rest, begins := strings.CutPrefix(text, before)
	inner, ends := strings.CutSuffix(rest, after)
	return inner, begins && ends && !strings.Contains(inner, "'")
}

func (c *call) assignmentRow(s Subscription, a RoleAssignment, n int) map[string]any {
	id := draw(c.sim.cfg.Seed, "assignment", c.tenant.TenantID, strconv.Itoa(n)).guid()
	properties := map[string]any{
		"roleDefinitionId": "/subscriptions/" + s.ID + "/providers/Microsoft.Authorization/roleDefinitions/" + a.RoleID,
		"principalId":      cmp.Or(a.PrincipalID, c.tenant.app().objectID), "principalType": cmp.Or(a.PrincipalType, "ServicePrincipal"), "scope": a.Scope,
		"condition": nil, "conditionVersion": nil, "createdOn": stamp(a.Created), "updatedOn": stamp(a.Created),
		"createdBy": "", "updatedBy": "", "delegatedManagedIdentityResourceId": nil, "description": nil,
	}
	if a.Condition != "" {
		properties["condition"], properties["conditionVersion"] = a.Condition, "2.0"
	}
	return map[string]any{
		"properties": properties, "id": strings.TrimSuffix(a.Scope, "/") + "/providers/Microsoft.Authorization/roleAssignments/" + id,
		"type": "Microsoft.Authorization/roleAssignments", "name": id,
	}
}

func (c *call) roleDefinitions() answer {
	roles := c.sim.rolesOf(c.tenant)
	s, ok := c.subscription(roles)
	if !ok || !c.sees(roles, s) {
		return c.mayNotRead("roleDefinitions", c.route.arg)
	}
	return c.page(roles, xslices.Map(append(builtInRoles(), roles.Definitions...), func(d RoleDefinition) any { return definitionRow(s.ID, d) }))
}

// roleDefinition answers with one role; the path's last segment is its GUID.
func (c *call) roleDefinition() answer {
	roles := c.sim.rolesOf(c.tenant)
	seg := strings.FieldsFunc(c.r.URL.Path, func(r rune) bool { return r == '/' })
	d, ok := roles.definition(seg[len(seg)-1])
	if !ok {
		return armError(404, "RoleDefinitionDoesNotExist", "The specified role definition with ID '"+clip(seg[len(seg)-1])+"' does not exist.")
	}
	return jsonAnswer(http.StatusOK, definitionRow(seg[1], d))
}

func definitionRow(subscription string, d RoleDefinition) map[string]any {
	kind := "BuiltInRole"
	if d.Custom {
		kind = "CustomRole"
	}
	return map[string]any{
		"properties": map[string]any{"roleName": d.Name, "type": kind, "description": "", "assignableScopes": []string{"/"}, "permissions": []any{}},
		"id":         "/subscriptions/" + subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + d.ID,
		"type":       "Microsoft.Authorization/roleDefinitions", "name": d.ID,
	}
}

func (c *call) roleSchedules() answer {
	roles := c.sim.rolesOf(c.tenant)
	switch {
	case roles.Unlicensed:
		return armError(400, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
	case c.r.URL.Query().Get("$filter") != "asTarget()":
		return c.mayNotRead("roleAssignmentScheduleInstances", "")
	}
	rows := []any{}
	for i, a := range roles.Assignments {
		if a.active(c.now) && roles.holds(a, c.who.objectID, c.tenant.app().objectID) {
			rows = append(rows, c.scheduleRow(roles, a, i))
		}
	}
	return c.page(roles, rows)
}

func (c *call) scheduleRow(roles Roles, a RoleAssignment, n int) map[string]any {
	kind, member := "Assigned", "Direct"
	if a.Activated {
		kind = "Activated"
	}
	if roles.Groups[strings.ToLower(a.PrincipalID)] != nil {
		member = "Group"
	}
	id := draw(c.sim.cfg.Seed, "schedule", c.tenant.TenantID, strconv.Itoa(n)).guid()
	return map[string]any{
		"properties": map[string]any{
			"roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/" + a.RoleID, "scope": a.Scope,
			"principalId": cmp.Or(a.PrincipalID, c.tenant.app().objectID), "principalType": cmp.Or(a.PrincipalType, "ServicePrincipal"),
			"assignmentType": kind, "memberType": member, "status": "Provisioned", "startDateTime": optional(a.Start), "endDateTime": optional(a.End),
		},
		"id":   strings.TrimSuffix(a.Scope, "/") + "/providers/Microsoft.Authorization/roleAssignmentScheduleInstances/" + id,
		"type": "Microsoft.Authorization/roleAssignmentScheduleInstances", "name": id,
	}
}

func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

const defaultPageSize = 100

// page answers with the part of the rows that the skip token names.
func (c *call) page(roles Roles, rows []any) answer {
	size := cmp.Or(max(0, roles.PageSize), defaultPageSize)
	query := c.r.URL.Query()
	skip, err := strconv.Atoi(cmp.Or(query.Get("$skiptoken"), "0"))
	if err != nil || skip < 0 || skip > len(rows) {
		return armError(400, "InvalidSkipToken", "The skip token is not one that was given out.")
	}
	body := map[string]any{"value": rows[skip:min(len(rows), skip+size)]}
	if next := skip + size; next < len(rows) {
		query.Set("$skiptoken", strconv.Itoa(next))
		link := url.URL{Scheme: "https", Host: c.r.Host, Path: c.r.URL.Path, RawQuery: query.Encode()}
		body["nextLink"] = link.String()
	}
	return jsonAnswer(http.StatusOK, body)
}

// Roles are the subscriptions of a tenant and the role assignments in them.
type Roles struct {
	Subscriptions []Subscription
	Assignments   []RoleAssignment
	// Groups are the members of groups by the group's object ID; a member may be
	// a group.
	Groups map[string][]string
	// Definitions are custom roles, and built-in ones that the simulator does not
	// know by itself.
	Definitions []RoleDefinition
	// Unlicensed is a tenant without Entra ID P2: schedules are refused.
	Unlicensed bool
	// PageSize is how many rows a page has; 0 means 100.
	PageSize int
}

// Subscription is an Azure subscription.
type Subscription struct {
	ID, Name string
	// State is Enabled where it is empty.
	State string
	// TenantID is the owner's where that is another tenant (Azure Lighthouse).
	TenantID string
	// ManagedBy are tenants to which it is delegated.
	ManagedBy []string
	// ManagementGroups are the names of the groups above it.
	ManagementGroups []string
	// Visible are object IDs that see it without an assignment.
	Visible []string
	// Hidden are object IDs that may not read its assignments, whatever they hold.
	Hidden []string
}

// RoleAssignment is a role that a principal holds at a scope.
type RoleAssignment struct {
	// RoleID is the GUID of the role definition.
	RoleID string
	// PrincipalID is an object ID; empty stands for the application's own.
	PrincipalID   string
	PrincipalType string
	Scope         string
	Condition     string
	Created       time.Time
	// Eligible is a role that may be activated and is not: it gives nothing.
	Eligible bool
	// Activated is a role that somebody activated until End.
	Activated  bool
	Start, End time.Time
}

// RoleDefinition is a role.
type RoleDefinition struct {
	ID, Name string
	Custom   bool
	// Reads is whether its holder may read role assignments.
	Reads bool
}

// Some built-in roles, by which tenants start.
const (
	RoleOwner       = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	RoleContributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	RoleReader      = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	roleSupport     = "cfd33db0-3dd1-45e3-aa9d-cdbdf3b6f24e"
	roleUserAccess  = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	RoleCostReader  = "72fafb9e-0641-4937-9268-a91bfd8191a3"
	RoleCognitive   = "a97b65f3-24c7-4388-baec-2e87135dc908"
)

func builtInRoles() []RoleDefinition {
	return []RoleDefinition{
		{ID: RoleOwner, Name: "Owner", Reads: true}, {ID: RoleContributor, Name: "Contributor", Reads: true},
		{ID: RoleReader, Name: "Reader", Reads: true}, {ID: roleSupport, Name: "Support Request Contributor", Reads: true},
		{ID: roleUserAccess, Name: "User Access Administrator", Reads: true}, {ID: RoleCostReader, Name: "Cost Management Reader"},
		{ID: RoleCognitive, Name: "Cognitive Services User"},
	}
}

// SetRoles replaces the subscriptions and roles of a tenant.
func (s *Simulator) SetRoles(tenantID string, roles Roles) error {
	return s.in(tenantID, func(t *tenant) error {
		t.roles = &roles
		return nil
	})
}

// Roles returns the subscriptions and roles of a tenant.
func (s *Simulator) Roles(tenantID string) (roles Roles, err error) {
	err = s.in(tenantID, func(t *tenant) error {
		roles = s.rolesOf(t)
		return nil
	})
	return roles, err
}

func (s *Simulator) rolesOf(t *tenant) Roles {
	if t.roles != nil {
		return *t.roles
	}
	return s.firstRoles(t)
}

// firstRoles is what a tenant starts with, by seed: one to three subscriptions,
// and in each what the application holds.
func (s *Simulator) firstRoles(t *tenant) Roles {
	group := draw(s.cfg.Seed, "role group", t.TenantID).guid()
	roles := Roles{Groups: map[string][]string{group: {t.app().objectID}}, Unlicensed: draw(s.cfg.Seed, "licence", t.TenantID)[0]%2 == 0}
	for i, name := range []string{"Production", "Sandbox", "Shared services"}[:1+draw(s.cfg.Seed, "subscriptions", t.TenantID).pick(3)] {
		d := draw(s.cfg.Seed, "subscription", t.TenantID, name)
		sub := Subscription{ID: d.guid(), Name: name, ManagementGroups: []string{t.Name}}
		roles.Subscriptions = append(roles.Subscriptions, sub)
		roles.Assignments = append(roles.Assignments, firstAssignments(sub, group, (int(d[20])+i)%6)...)
	}
	return roles
}

func firstAssignments(sub Subscription, group string, kind int) []RoleAssignment {
	at := "/subscriptions/" + sub.ID
	created := time.Date(2025, 3, 1, 9, 30, 0, 0, time.UTC)
	held := func(role string) RoleAssignment { return RoleAssignment{RoleID: role, Scope: at, Created: created} }
	switch kind {
	case 0:
		return []RoleAssignment{{RoleID: RoleOwner, PrincipalID: group, PrincipalType: "Group", Scope: at, Created: created}}
	case 1:
		return []RoleAssignment{held(RoleReader)}
	case 2:
		return []RoleAssignment{held(RoleReader), held(roleSupport)}
	case 3:
		return []RoleAssignment{{RoleID: RoleContributor, Scope: at + "/resourceGroups/app", Created: created}}
	default:
		return []RoleAssignment{held(RoleContributor)}
	}
}

// holds reports whether an assignment is the identity's, by itself or through
// groups.
func (r Roles) holds(a RoleAssignment, objectID, app string) bool {
	holder := cmp.Or(strings.ToLower(a.PrincipalID), app)
	return strings.EqualFold(holder, objectID) || r.member(holder, objectID, map[string]bool{})
}

func (r Roles) member(group, objectID string, seen map[string]bool) bool {
	if seen[group] {
		return false
	}
	seen[group] = true
	return slices.ContainsFunc(r.Groups[group], func(m string) bool {
		return strings.EqualFold(m, objectID) || r.member(strings.ToLower(m), objectID, seen)
	})
}

func (a RoleAssignment) active(now time.Time) bool {
	return !a.Eligible && (a.Start.IsZero() || !now.Before(a.Start)) && (a.End.IsZero() || now.Before(a.End))
}

// reaches reports whether a scope is at, above or below a subscription.
func (s Subscription) reaches(scope string) bool {
	return s.above(scope) || strings.HasPrefix(strings.ToLower(scope)+"/", "/subscriptions/"+strings.ToLower(s.ID)+"/")
}

func (s Subscription) above(scope string) bool {
	return scope == "/" || strings.EqualFold(scope, "/subscriptions/"+s.ID) || slices.ContainsFunc(s.ManagementGroups, func(name string) bool {
		return strings.EqualFold(scope, "/providers/Microsoft.Management/managementGroups/"+name)
	})
}

func (r Roles) definition(id string) (RoleDefinition, bool) {
	return xslices.Find(append(r.Definitions, builtInRoles()...), func(d RoleDefinition) bool { return strings.EqualFold(d.ID, id) })
}
