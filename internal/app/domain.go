package app

import (
	"context"

	"mcp-partner/signin"
	"mcp-partner/tenants"
)

// TenantOfDomain asks Entra ID of a cloud for the tenant that a domain belongs to.
func (a *App) TenantOfDomain(ctx context.Context, cloud tenants.Cloud, domain string) (string, error) {
	return signin.TenantOfDomain(ctx, a.HTTP, cloud, domain)
}
