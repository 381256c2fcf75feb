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
	name := s.Name
	if c.plan.shows(FaultHostileNames) {
		name = hostileName(c.draw("name"))
	}
	return map[string]any{
		"id": "/subscriptions/" + s.ID, "subscriptionId": s.ID, "tenantId": cmp.Or(s.TenantID, c.tenant.TenantID), "displayName": name,
		"state": cmp.Or(s.State, "Enabled"), "authorizationSource": "RoleBased", "managedByTenants": managed,
		"subscriptionPolicies": map[string]string{"locationPlacementId": "Public_2014-09-01", "quotaId": "CSP_2015-05-01", "spendingLimit": "Off"},
	}
}

// subscription finds the subscription of the path.
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

// roleDefinitions lists the roles of a subscription.
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

// roleSchedules lists when the caller's own assignments hold.
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
