package simulator

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"mcp-partner/internal/xslices"
)

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

// active reports whether an assignment gives its role now.
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

// definition finds a role.
func (r Roles) definition(id string) (RoleDefinition, bool) {
	return xslices.Find(append(r.Definitions, builtInRoles()...), func(d RoleDefinition) bool { return strings.EqualFold(d.ID, id) })
}
