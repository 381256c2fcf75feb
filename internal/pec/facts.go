// Package pec answers whether an identity holds an Azure role that is eligible
// for partner earned credit: the list of roles, the verdict on a subscription,
// and the reading of what the verdict needs.
//
// It never says that a subscription is credited. Other identities may qualify a
// subscription, and Microsoft decides elsewhere what it credits.
package pec

import (
	"context"
	"time"
)

// Subscription is an Azure subscription that an identity sees. Name is
// sanitized text.
type Subscription struct {
	ID, TenantID, Name, State string
	// ManagedBy lists the tenants that manage it through Azure Lighthouse.
	ManagedBy []string
	// Listed is whether the identity's list of subscriptions has it. One that a
	// caller named may not be there.
	Listed bool
}

// Assignment is a role assignment as ARM lists it. What could not be read is
// empty.
type Assignment struct {
	// RoleID is the GUID of the role definition, in lower case.
	RoleID string
	// PrincipalID is the identity, or the group through which it holds the role.
	PrincipalID, PrincipalType string
	Scope                      string
	// Conditional is whether the assignment has a condition.
	Conditional bool
	Created     time.Time
}

// Schedule is when a role assignment holds, as Privileged Identity Management
// tells it.
type Schedule struct {
	RoleID, PrincipalID, Scope string
	// Activated is whether somebody activated the role for a time.
	Activated  bool
	Start, End time.Time
}

// Role is a role definition. Name is sanitized text.
type Role struct {
	ID, Name string
	Custom   bool
}

// Reader reads from ARM as one identity in one tenant. Its errors are problems.
type Reader interface {
	// Subscriptions lists what the identity sees, and says which identity that is.
	Subscriptions(ctx context.Context) ([]Subscription, Identity, error)
	// Assignments lists the roles that an identity holds in a subscription, by
	// itself and through groups, and ARM's request ID.
	Assignments(ctx context.Context, subscriptionID, objectID string) ([]Assignment, string, error)
	// Schedules lists when the calling identity's assignments hold.
	Schedules(ctx context.Context) ([]Schedule, error)
	// Role returns the definition of a role.
	Role(ctx context.Context, subscriptionID, roleID string) (Role, error)
}

// Identity is whose roles are read, from the token that was checked.
type Identity struct{ TenantID, ObjectID string }
