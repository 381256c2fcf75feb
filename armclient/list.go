package armclient

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// maxPages and maxRows bound a list, so that a nextLink that never ends does.
const (
	maxPages = 100
	maxRows  = 10_000
)

// Operations lists the provider's own operations, all pages, texts cleaned. An
// error is a *problems.Problem; the identity is filled in as far as it is known.
func (c *Client) Operations(ctx context.Context) ([]answers.ProviderOperation, answers.Identity, error) {
	return list(ctx, c, schemas.PathOperations, schemas.APIVersion, providerOperation)
}

// Tenants lists the tenants that the client's identity reaches, all pages,
// texts cleaned. Name is left empty and InDirectory false: the directory knows
// those. An error is a *problems.Problem.
func (c *Client) Tenants(ctx context.Context) ([]answers.TenantRow, answers.Identity, error) {
	return list(ctx, c, schemas.PathTenants, schemas.TenantsAPIVersion, c.tenantRow)
}

type page[T any] struct {
	NextLink string
	Value    []*T
}

// list reads all pages, and leaves out rows that are null or not usable.
func list[W, R any](ctx context.Context, c *Client, path, version string, row func(W) (R, bool)) ([]R, answers.Identity, error) {
	ctx, cancel := withDeadline(ctx, readTime)
	defer cancel()
	ctx, r := withRecord(ctx)
	rows, err := pages(ctx, c.conn, path, version, row)
	return rows, c.identity(r), err
}

func pages[W, R any](ctx context.Context, c *connection, path, version string, row func(W) (R, bool)) ([]R, error) {
	link, err := url.Parse(runtime.JoinPaths(c.endpoint, path) + "?" + versionQuery(version))
	if err != nil {
		return nil, problems.As(err)
	}
	rows, read := []R{}, trail{}
	for range maxPages {
		if err := read.enter(link); err != nil {
			return nil, err
		}
		resp, err := c.read(ctx, c.retry, link.String(), "")
		if err != nil {
			return nil, problems.As(err)
		}
		found, err := decodeJSON[page[W]](resp)
		if err != nil {
			return nil, err
		}
		rows = append(rows, convert(found.Value, row)...)
		if found.NextLink == "" {
			return rows, nil
		}
		if len(rows) > maxRows {
			break
		}
		if link, err = link.Parse(found.NextLink); err != nil {
			return nil, outsideOfList()
		}
	}
	return nil, tooLong()
}

func tooLong() error {
	return problems.New(problems.CodeUnexpectedResponse, "ARM's list has too many pages.")
}

func outsideOfList() error {
	return problems.New(problems.CodeUnexpectedResponse, "The answer names a next page outside of the list; it was not read.")
}

// trail is one list: its scheme and path, and the pages of it that were read, by
// their URLs.
type trail struct {
	path string
	read []string
}

// enter notes a page. It keeps a nextLink to the list that it continues, and
// refuses a page that was read: the list would never end. The host is the gate's
// to check.
func (t *trail) enter(page *url.URL) error {
	path := page.Scheme + ":" + strings.ToLower(strings.TrimRight(page.Path, "/"))
	t.path = cmp.Or(t.path, path)
	switch link := page.String(); {
	case path != t.path:
		return outsideOfList()
	case slices.Contains(t.read, link):
		return problems.New(problems.CodeUnexpectedResponse, "The answer names a page that was already read.")
	default:
		t.read = append(t.read, link)
		return nil
	}
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

// operation is one of the provider's; all of it is untrusted text.
type operation struct {
	Name, Origin string
	Display      struct{ Provider, Resource, Operation, Description string }
}

func providerOperation(o operation) (answers.ProviderOperation, bool) {
	row := answers.ProviderOperation{
		Name: untrusted.Sanitize(o.Name), Provider: untrusted.Sanitize(o.Display.Provider), Resource: untrusted.Sanitize(o.Display.Resource),
		Operation: untrusted.Sanitize(o.Display.Operation), Description: untrusted.Sanitize(o.Display.Description), Origin: untrusted.Sanitize(o.Origin),
	}
	return row, row.Name != ""
}

// tenantDescription is one tenant; names and domains are untrusted text.
type tenantDescription struct {
	ID, TenantID, DisplayName, DefaultDomain, TenantCategory string
	Domains                                                  []string
}

func (c *Client) tenantRow(t tenantDescription) (answers.TenantRow, bool) {
	id := cmp.Or(t.TenantID, strings.TrimPrefix(t.ID, "/tenants/"))
	row := answers.TenantRow{
		TenantID: strings.ToLower(id), DisplayName: untrusted.Sanitize(t.DisplayName), Cloud: c.options.Cloud,
		Category: untrusted.Sanitize(t.TenantCategory), Domains: domains(t),
	}
	return row, naming.IsGUID(id)
}

// domains puts the default one first.
func domains(t tenantDescription) []string {
	var list []string
	for _, domain := range append([]string{t.DefaultDomain}, t.Domains...) {
		if name := untrusted.Sanitize(domain); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
