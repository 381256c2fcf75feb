package pec

import (
	"strings"

	"mcp-partner/internal/naming"
)

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
