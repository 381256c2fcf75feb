package armclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/schemas"
)

// OperationClient is the operation group Operation of the provider's published
// specification.
type OperationClient struct{ internal *connection }

// OperationClientListOptions has the optional parameters of
// OperationClient.NewListPager; there are none.
type OperationClientListOptions struct{}

// OperationClientListResponse is one page of OperationClient.NewListPager.
type OperationClientListResponse struct{ OperationList }

// NewListPager reads the provider's own operations, page by page.
func (c *OperationClient) NewListPager(_ *OperationClientListOptions) *runtime.Pager[OperationClientListResponse] {
	read := trail{}
	return runtime.NewPager(runtime.PagingHandler[OperationClientListResponse]{
		More: func(page OperationClientListResponse) bool { return more(page.NextLink) },
		Fetcher: func(ctx context.Context, page *OperationClientListResponse) (OperationClientListResponse, error) {
			var next *string
			if page != nil {
				next = page.NextLink
			}
			resp, err := c.internal.page(ctx, read, schemas.PathOperations, apiVersion, next)
			if err != nil {
				return OperationClientListResponse{}, err
			}
			list, err := decodeJSON[OperationList](resp)
			return OperationClientListResponse{list}, err
		},
	})
}

// TenantsClient is ARM's operation group Tenants, as Microsoft's
// armsubscriptions module names it.
type TenantsClient struct{ internal *connection }

// TenantsClientListOptions has the optional parameters of
// TenantsClient.NewListPager; there are none.
type TenantsClientListOptions struct{}

// TenantsClientListResponse is one page of TenantsClient.NewListPager.
type TenantsClientListResponse struct{ TenantListResult }

// NewListPager reads the tenants that the calling identity reaches, page by
// page. A service principal sees its own tenant alone.
func (c *TenantsClient) NewListPager(_ *TenantsClientListOptions) *runtime.Pager[TenantsClientListResponse] {
	read := trail{}
	return runtime.NewPager(runtime.PagingHandler[TenantsClientListResponse]{
		More: func(page TenantsClientListResponse) bool { return more(page.NextLink) },
		Fetcher: func(ctx context.Context, page *TenantsClientListResponse) (TenantsClientListResponse, error) {
			var next *string
			if page != nil {
				next = page.NextLink
			}
			resp, err := c.internal.page(ctx, read, schemas.PathTenants, schemas.TenantsAPIVersion, next)
			if err != nil {
				return TenantsClientListResponse{}, err
			}
			list, err := decodeJSON[TenantListResult](resp)
			return TenantsClientListResponse{list}, err
		},
	})
}

func more(nextLink *string) bool { return nextLink != nil && *nextLink != "" }

// trail is the pages of one list that were read, by their URLs.
type trail map[string]bool

// enter notes a page, and refuses one that was read: the list would never end.
func (t trail) enter(link string) error {
	if t[link] {
		return schemas.NewProblem(schemas.CodeUnexpectedResponse, "The answer names a next page that was read before; the list does not end.")
	}
	t[link] = true
	return nil
}

// page reads the first page, or the one that a nextLink names.
func (c *connection) page(ctx context.Context, read trail, path, version string, next *string) (*http.Response, error) {
	first := "?" + versionQuery(version)
	if !more(next) {
		next = &first
	}
	link, err := c.nextPage(path, *next)
	if err == nil {
		err = read.enter(link)
	}
	if err != nil {
		return nil, err
	}
	return c.readPage(ctx, link)
}

// nextPage keeps a nextLink to the list it continues. The host is the gate's to
// check.
func (c *connection) nextPage(path, nextLink string) (string, error) {
	base, err := url.Parse(runtime.JoinPaths(c.arm.Endpoint(), path))
	if err != nil {
		return "", schemas.AsProblem(err)
	}
	link, err := base.Parse(nextLink)
	if err != nil || link.Scheme != base.Scheme || !strings.EqualFold(strings.TrimRight(link.Path, "/"), base.Path) {
		return "", schemas.NewProblem(schemas.CodeUnexpectedResponse, "The answer names a next page that is no page of the same list; it was not read.")
	}
	return link.String(), nil
}
