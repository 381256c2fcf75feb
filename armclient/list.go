package armclient

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/schemas"
)

// maxPages and maxRows bound a list, so that a nextLink that never ends does.
const (
	maxPages = 100
	maxRows  = 10_000
)

// Operations lists the provider's own operations, all pages, texts cleaned. An
// error is a *schemas.Problem; the identity is filled in as far as it is known.
func (c *Client) Operations(ctx context.Context) ([]schemas.ProviderOperation, schemas.Identity, error) {
	ctx, cancel := withDeadline(ctx, readTime)
	defer cancel()
	ctx, r := withRecord(ctx)
	rows, err := collect(ctx, c.operation.NewListPager(nil), func(page OperationClientListResponse) []schemas.ProviderOperation {
		return convert(page.Value, providerOperation)
	})
	return rows, c.identity(r), err
}

// Tenants lists the tenants that the client's identity reaches, all pages,
// texts cleaned. Name is left empty and InDirectory false: the directory knows
// those. An error is a *schemas.Problem.
func (c *Client) Tenants(ctx context.Context) ([]schemas.TenantRow, schemas.Identity, error) {
	ctx, cancel := withDeadline(ctx, readTime)
	defer cancel()
	ctx, r := withRecord(ctx)
	rows, err := collect(ctx, c.tenants.NewListPager(nil), func(page TenantsClientListResponse) []schemas.TenantRow {
		return convert(page.Value, c.tenantRow)
	})
	return rows, c.identity(r), err
}

func collect[P, R any](ctx context.Context, pager *runtime.Pager[P], rowsOf func(P) []R) ([]R, error) {
	rows := []R{}
	for pages := 0; pager.More(); pages++ {
		if pages == maxPages || len(rows) > maxRows {
			return nil, schemas.NewProblem(schemas.CodeUnexpectedResponse, "ARM's list has more pages than this program reads.")
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, schemas.AsProblem(err)
		}
		rows = append(rows, rowsOf(page)...)
	}
	return rows, nil
}

// convert leaves out what is null or not usable.
func convert[W, R any](values []*W, row func(W) (R, bool)) []R {
	var rows []R
	for _, v := range values {
		if v == nil {
			continue
		}
		if r, ok := row(*v); ok {
			rows = append(rows, r)
		}
	}
	return rows
}

func providerOperation(o OperationResponse) (schemas.ProviderOperation, bool) {
	row := schemas.ProviderOperation{Name: clean(o.Name), Origin: clean(o.Origin)}
	if d := o.Display; d != nil {
		row.Provider, row.Resource = clean(d.Provider), clean(d.Resource)
		row.Operation, row.Description = clean(d.Operation), clean(d.Description)
	}
	return row, row.Name != ""
}

func (c *Client) tenantRow(t TenantIDDescription) (schemas.TenantRow, bool) {
	id := value(t.TenantID)
	if id == "" {
		id = strings.TrimPrefix(value(t.ID), "/tenants/")
	}
	row := schemas.TenantRow{
		TenantID: strings.ToLower(id), DisplayName: clean(t.DisplayName), Cloud: c.options.Cloud,
		Category: clean(t.TenantCategory), Domains: domains(t),
	}
	return row, schemas.IsGUID(id)
}

// domains puts the default one first.
func domains(t TenantIDDescription) []string {
	var list []string
	seen := map[string]bool{"": true}
	for _, d := range append([]*string{t.DefaultDomain}, t.Domains...) {
		if name := clean(d); !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	return list
}

func clean(s *string) string { return schemas.Sanitize(value(s)) }
