package app

import (
	"context"
	"fmt"
	"strings"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// CheckSuccession refuses a change after which nobody could remove a link: one
// that takes a credential which has acted in the tenant away, or makes the
// entry stand for another tenant. Only a credential that has acted there once,
// and so has a pin, can have a link.
func (a *App) CheckSuccession(ctx context.Context, before, after tenants.Entry, added []tenants.CredentialConfig) error {
	leaving := before
	leaving.Credentials = nil
	for _, ref := range before.Credentials {
		if ref.PinnedObjectID != "" && !a.staysIn(ref, before, after, added) {
			leaving.Credentials = append(leaving.Credentials, ref)
		}
	}
	return a.CheckUnlinked(ctx, leaving, "after this change nobody could remove that link")
}

// staysIn reports whether the identity of a credential still acts in the tenant
// after a change. Another credential of the same application is the same
// identity.
func (a *App) staysIn(gone tenants.CredentialRef, before, after tenants.Entry, added []tenants.CredentialConfig) bool {
	if !strings.EqualFold(before.TenantID, after.TenantID) {
		return false
	}
	was, err := a.Directory.Credential(gone.Name)
	if err != nil {
		return false
	}
	for _, ref := range after.Credentials {
		is, err := a.Directory.Credential(ref.Name)
		for _, one := range added {
			if naming.Same(one.Name, ref.Name) {
				is, err = one, nil
			}
		}
		if err == nil && is.SameIdentity(was) {
			return true
		}
	}
	return false
}

// CheckUnlinked looks at the link of every credential of the entry. What would
// be lost is a part of the refusal.
func (a *App) CheckUnlinked(ctx context.Context, entry tenants.Entry, lost string) error {
	for _, ref := range entry.Credentials {
		client, err := a.Clients.Client(ctx, entry.Tenant(), ref.Name)
		if err != nil {
			return err
		}
		read := client.Link(ctx)
		switch {
		case read.Link.State.Absent():
		case read.Link.State == answers.LinkLinked:
			return exit.Refused(
				fmt.Sprintf("mcp-partner call remove_partner --tenant %s --credential %s --partner-id %s --allow-writes, or give --keep-link", entry.Name, ref.Name, read.Link.PartnerID),
				"%s is still linked to partner ID %s, and %s", entry.Name, read.Link.PartnerID, lost)
		default:
			return undecided(entry.Name, read.Problem)
		}
	}
	return nil
}

func undecided(tenant string, problem *problems.Problem) error {
	why, next := "", ""
	if problem != nil {
		why, next = " ("+strings.TrimSuffix(problem.Message, ".")+")", problem.Hint+" "
	}
	return exit.Refused(next+"Or give --keep-link.", "the link of %s is unknown%s, so it was not changed", tenant, why)
}
