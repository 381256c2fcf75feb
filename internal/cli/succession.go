package cli

import (
	"context"
	"strings"

	"mcp-partner/tenants"
)

// checkSuccession refuses a change after which nobody could remove a link: one
// that takes a credential which has acted in the tenant away, or makes the
// entry stand for another tenant. Only a credential that has acted there once,
// and so has a pin, can have a link.
func (h *house) checkSuccession(ctx context.Context, before, after tenants.Entry, added []tenants.CredentialConfig) error {
	leaving := before
	leaving.Credentials = nil
	for _, ref := range before.Credentials {
		if ref.PinnedObjectID != "" && !h.staysIn(ref, before, after, added) {
			leaving.Credentials = append(leaving.Credentials, ref)
		}
	}
	return h.checkUnlinked(ctx, leaving, "after this change nobody could remove that link")
}

// staysIn reports whether the identity of a credential still acts in the tenant
// after a change. Another credential of the same application is the same
// identity.
func (h *house) staysIn(gone tenants.CredentialRef, before, after tenants.Entry, added []tenants.CredentialConfig) bool {
	if !strings.EqualFold(before.TenantID, after.TenantID) {
		return false
	}
	was, err := h.directory.Credential(gone.Name)
	if err != nil {
		return false
	}
	for _, ref := range after.Credentials {
		is, err := h.directory.Credential(ref.Name)
		for _, one := range added {
			if sameName(one.Name, ref.Name) {
				is, err = one, nil
			}
		}
		if err == nil && is.SameIdentity(was) {
			return true
		}
	}
	return false
}
