package pec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Reasons for which a verdict is unknown, beside the codes of problems.
const (
	ReasonCondition   = "condition"
	ReasonLighthouse  = "lighthouse"
	ReasonForeign     = "group_of_another_tenant"
	ReasonUnreadable  = "unreadable_assignment"
	ReasonEnded       = "time_is_over"
	ReasonNothingSeen = "no_assignment_listed"
)

// Held is what was read of an identity's roles in one subscription.
type Held struct {
	Identity     Identity
	Subscription Subscription
	Assignments  []Assignment
	Schedules    []Schedule
	// Names are role definitions by GUID, for roles that are on no list.
	Names     map[string]Role
	Problem   *problems.Problem
	RequestID string
	Now       time.Time
}

// weight is what one assignment says of the verdict.
type weight int

const (
	counts weight = iota // an eligible role that is held
	doubtful
	offList
	onListNot
)

// weighed is an assignment with what it says.
type weighed struct {
	role   answers.PECRole
	weight weight
	reason string
}

// Judge says whether an identity holds an eligible role in a subscription. It
// depends on its arguments alone.
func (l *List) Judge(h Held) answers.PECSubscription {
	row := answers.PECSubscription{
		SubscriptionID: h.Subscription.ID, Name: h.Subscription.Name, State: h.Subscription.State,
		Lighthouse: len(h.Subscription.ManagedBy) > 0 || h.delegated(), RequestID: h.RequestID,
	}
	if h.Problem == nil && h.othersListed() {
		h.Problem = problems.New(problems.CodeUnexpectedResponse, "ARM listed assignments of other identities.")
	}
	if h.Problem != nil {
		return unread(row, h)
	}
	held := xslices.Map(h.Assignments, func(a Assignment) weighed { return l.weigh(h, a) })
	slices.SortStableFunc(held, stronger)
	row.Roles = xslices.Map(held, func(w weighed) answers.PECRole { return w.role })
	decide(&row, h, held)
	if s := row.State; s != "" && !strings.EqualFold(s, "Enabled") {
		row.Why += fmt.Sprintf(" The subscription's state is %s.", s)
	}
	return row
}

// delegated reports whether the identity reaches the subscription from outside
// its tenant: then its roles are in a delegation, which no list of assignments shows.
func (h Held) delegated() bool {
	home, managing := h.Identity.TenantID, h.Subscription.ManagedBy
	owner := h.Subscription.TenantID
	return owner != "" && !strings.EqualFold(owner, home) ||
		slices.ContainsFunc(managing, func(id string) bool { return strings.EqualFold(id, home) })
}

// othersListed reports whether the answer holds assignments of other people or
// applications: then it was not filtered, and its groups prove nothing.
func (h Held) othersListed() bool {
	return slices.ContainsFunc(h.Assignments, func(a Assignment) bool {
		return !strings.EqualFold(a.PrincipalID, h.Identity.ObjectID) &&
			(strings.EqualFold(a.PrincipalType, "User") || strings.EqualFold(a.PrincipalType, "ServicePrincipal"))
	})
}

func (l *List) weigh(h Held, a Assignment) weighed {
	name, stands := l.lookup(a.RoleID)
	kind := scopeKind(a.Scope, h.Subscription.ID)
	direct := strings.EqualFold(a.PrincipalID, h.Identity.ObjectID)
	w := weighed{role: answers.PECRole{
		Role: cmp.Or(name, h.Names[a.RoleID].Name, a.RoleID, "a role that could not be read"), RoleID: a.RoleID,
		Custom: h.Names[a.RoleID].Custom, Scope: untrusted.Sanitize(a.Scope), ScopeKind: kind, Since: stamp(a.Created), Conditional: a.Conditional,
	}}
	if !direct {
		w.role.Group = untrusted.Sanitize(a.PrincipalID)
	}
	end := h.end(a)
	w.role.Until = stamp(end)
	w.role.Listed = []string{"unlisted", "not_eligible", "eligible"}[stands]
	switch {
	case a.RoleID == "" || kind == "" && stands != notEligible:
		w.weight, w.reason = doubtful, ReasonUnreadable
	case stands == unlisted:
		w.weight = offList
	case stands == notEligible:
		w.weight = onListNot
	case !direct && strings.EqualFold(a.PrincipalType, "ForeignGroup"):
		w.weight, w.reason = doubtful, ReasonForeign
	case !direct && !strings.EqualFold(a.PrincipalType, "Group"):
		w.weight, w.reason = doubtful, ReasonUnreadable
	case !end.IsZero() && !end.After(h.Now):
		w.weight, w.reason = doubtful, ReasonEnded
	case a.Conditional:
		w.weight, w.reason = doubtful, ReasonCondition
	}
	return w
}

// end is when an assignment ends, or zero. One that ends and one that does not
// may both give the role at a scope; then it does not end.
func (h Held) end(a Assignment) time.Time {
	var last time.Time
	for _, s := range h.Schedules {
		if s.RoleID != a.RoleID || !strings.EqualFold(s.Scope, a.Scope) || !strings.EqualFold(s.PrincipalID, a.PrincipalID) {
			continue
		}
		if s.End.IsZero() {
			return time.Time{}
		}
		if s.End.After(last) {
			last = s.End
		}
	}
	return last
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// stronger orders assignments: those that decide first, of those the ones that
// cover the subscription, and of those the ones without an end.
func stronger(a, b weighed) int {
	return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(breadth(a.role.ScopeKind)/3, breadth(b.role.ScopeKind)/3),
		cmp.Compare(min(len(a.role.Until), 1), min(len(b.role.Until), 1)), cmp.Compare(breadth(a.role.ScopeKind), breadth(b.role.ScopeKind)))
}

// breadth orders the kinds of scopes; from 3 on they are below the subscription.
func breadth(kind string) int {
	return slices.Index([]string{ScopeRoot, ScopeManagementGroup, ScopeSubscription, ScopeResourceGroup, ScopeResource, ""}, kind)
}

// decide makes the verdict of weighed assignments, the strongest first.
func decide(row *answers.PECSubscription, h Held, held []weighed) {
	switch {
	case len(held) > 0 && held[0].weight == counts:
		row.Verdict, row.Partial = answers.PECEligible, breadth(held[0].role.ScopeKind) >= breadth(ScopeResourceGroup)
		row.Why = describe(held[0].role) + "."
		if row.Partial {
			row.Why = "Only below the subscription: " + row.Why
		}
	case len(held) > 0 && held[0].weight == doubtful:
		doubt(row, held[0].reason, describe(held[0].role))
	case h.delegated():
		doubt(row, ReasonLighthouse, "")
	case len(held) > 0 && held[0].weight == offList:
		row.Verdict = answers.PECUnlisted
		row.Why = "Held roles are on no list of Microsoft's: " + names(row.Roles) + "."
	case len(held) > 0:
		row.Verdict = answers.PECNotEligible
		row.Why = "Held roles are listed as not eligible: " + names(row.Roles) + "."
	case h.Subscription.Listed:
		doubt(row, ReasonNothingSeen, "")
	default:
		row.Verdict, row.Why = answers.PECNotEligible, "ARM lists no role assignment of this identity in the subscription."
	}
}

// doubts say why a verdict is unknown, and what to do; {role} is what is held.
var doubts = map[string]struct{ why, fix string }{
	ReasonCondition: {"{role}, under a condition; it is unknown whether that counts.",
		"Read the condition of the assignment in the portal, or assign an eligible role without one."},
	ReasonLighthouse: {"The subscription is delegated through Azure Lighthouse, whose roles are in no list of assignments.",
		"Run: az managedservices assignment list --include-definition true --subscription {subscription}"},
	ReasonForeign: {"{role}, a group of another tenant; whether this identity is in it cannot be read.",
		"Assign an eligible role to this identity, or to a group of the customer's tenant."},
	ReasonEnded: {"{role}, and has expired; the assignment is still listed.", "Check again in an hour, or activate the role again."},
	ReasonNothingSeen: {"This identity sees the subscription, but ARM lists no role assignment that explains it.",
		"Ask an owner of the subscription to run: az role assignment list --include-inherited --include-groups --assignee OBJECT-ID"},
	ReasonUnreadable: {"An assignment could not be read: {role}.", "Check the assignment in the portal, under Access control (IAM)."},
}

// doubt makes the verdict unknown, with the reason and the next step.
func doubt(row *answers.PECSubscription, reason, role string) {
	row.Verdict, row.Reason = answers.PECUnknown, reason
	row.Why = strings.ReplaceAll(doubts[reason].why, "{role}", role)
	row.Fix = strings.ReplaceAll(doubts[reason].fix, "{subscription}", row.SubscriptionID)
}

// unread is the verdict where the assignments could not be read.
func unread(row answers.PECSubscription, h Held) answers.PECSubscription {
	row.Verdict, row.Reason, row.Why, row.Fix = answers.PECUnknown, string(h.Problem.Code), h.Problem.Message, h.Problem.Hint
	row.RequestID = cmp.Or(row.RequestID, h.Problem.RequestID())
	if h.Problem.Code == problems.CodeForbidden {
		row.Why = "This identity may not read role assignments at the subscription (ARM answered 403); it may hold roles there or below it."
		row.Fix = fmt.Sprintf("Ask an owner to run: az role assignment list --all --include-groups --assignee %s --subscription %s", h.Identity.ObjectID, row.SubscriptionID)
	}
	return row
}

func describe(r answers.PECRole) string {
	text := r.Role
	if r.Group != "" {
		text += " through group " + r.Group
	}
	if r.ScopeKind != ScopeSubscription {
		text += " at " + r.Scope
	}
	if r.Until != "" {
		text += " until " + r.Until
	}
	return text
}

// names lists the roles once each, at most five.
func names(roles []answers.PECRole) string {
	var list []string
	for _, r := range roles {
		if !slices.Contains(list, r.Role) {
			list = append(list, r.Role)
		}
	}
	return strings.Join(phrase.Some(list, 5), ", ")
}

// Kinds of scopes. A role that is held at one of the first three holds in the
// whole subscription.
const (
	ScopeRoot            = "root"
	ScopeManagementGroup = "management_group"
	ScopeSubscription    = "subscription"
	ScopeResourceGroup   = "resource_group"
	ScopeResource        = "resource"
)

// scopeKind says what a scope is, seen from a subscription. It is "" for a scope
// that is neither above nor below the subscription, or that cannot be read.
func scopeKind(scope, subscriptionID string) string {
	path := strings.Split(strings.ToLower(strings.Trim(scope, "/")), "/")
	switch {
	case scope == "/":
		return ScopeRoot
	case len(path) == 4 && path[0] == "providers" && path[1] == "microsoft.management" && path[2] == "managementgroups" && path[3] != "":
		return ScopeManagementGroup
	case len(path) < 2 || path[0] != "subscriptions" || !strings.EqualFold(path[1], subscriptionID):
		return ""
	case len(path) == 2:
		return ScopeSubscription
	case len(path) == 4 && path[2] == "resourcegroups" && path[3] != "":
		return ScopeResourceGroup
	case len(path) > 4:
		return ScopeResource
	default:
		return ""
	}
}

// RoleIDOf returns the GUID at the end of a role definition's ID, or "".
func RoleIDOf(definitionID string) string {
	id := strings.ToLower(definitionID[strings.LastIndexByte(definitionID, '/')+1:])
	if !naming.IsGUID(id) {
		return ""
	}
	return id
}
