package armclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/strictjson"
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
	rows, r, err := list(ctx, c, schemas.PathOperations, versionQuery(schemas.APIVersion), providerOperation)
	return rows, c.identity(r), err
}

// Tenants lists the tenants that the client's identity reaches, all pages,
// texts cleaned. Name is left empty and InDirectory false: the directory knows
// those. An error is a *problems.Problem.
func (c *Client) Tenants(ctx context.Context) ([]answers.TenantRow, answers.Identity, error) {
	rows, r, err := list(ctx, c, schemas.PathTenants, versionQuery(schemas.TenantsAPIVersion), c.tenantRow)
	return rows, c.identity(r), err
}

// list reads all pages of a list, and leaves out rows that are not usable. A row
// that is null is one without members.
func list[W, R any](ctx context.Context, c *Client, path, query string, row func(W) (R, bool)) ([]R, *record, error) {
	ctx, cancel := withDeadline(ctx, readTime)
	defer cancel()
	ctx, r := withRecord(ctx)
	rows, err := pages(ctx, c.conn, path+"?"+query, row)
	return rows, r, err
}

func pages[W, R any](ctx context.Context, c *connection, path string, row func(W) (R, bool)) ([]R, error) {
	link, err := url.Parse(c.endpoint + path)
	if err != nil {
		return nil, problems.As(err)
	}
	rows, read := []R{}, map[string]bool{}
	for range maxPages {
		read[link.String()] = true
		found, err := pageOf[W](c.read(ctx, link.String(), ""))
		if err != nil {
			return nil, problems.As(err)
		}
		for _, value := range found.rows {
			if one, ok := row(value); ok {
				rows = append(rows, one)
			}
		}
		if found.next == "" {
			return rows, nil
		}
		if len(rows) > maxRows {
			break
		}
		if link, err = follow(link, found.next, read); err != nil {
			return nil, err
		}
	}
	return nil, problems.New(problems.CodeUnexpectedResponse, "ARM's list has too many pages.")
}

// follow keeps a nextLink to the list that it continues, and refuses a page that
// was read: the list would never end. The host is the gate's to check.
func follow(page *url.URL, nextLink string, read map[string]bool) (*url.URL, error) {
	list := func(u *url.URL) string { return u.Scheme + ":" + strings.ToLower(strings.TrimRight(u.Path, "/")) }
	next, err := page.Parse(nextLink)
	switch {
	case err != nil || list(next) != list(page):
		return nil, problems.New(problems.CodeUnexpectedResponse, "The answer names a next page outside of the list; it was not read.")
	case read[next.String()]:
		return nil, problems.New(problems.CodeUnexpectedResponse, "The answer names a page that was already read.")
	}
	return next, nil
}

// page is one page of a list.
type page[W any] struct {
	rows []W
	next string
}

func pageOf[W any](resp *http.Response, err error) (page[W], error) {
	if err != nil {
		return page[W]{}, err
	}
	return decodeJSON[page[W]](resp)
}

// UnmarshalJSON implements json.Unmarshaler. What has no rows is no empty list: one
// of roles would say that there are none.
func (p *page[W]) UnmarshalJSON(data []byte) error {
	members, err := strictjson.Named(data, "value", "nextLink", "error")
	if err != nil {
		return err
	}
	if members["error"] != nil || members["value"] == nil {
		return errors.New("no list, or an error beside it")
	}
	if err := json.Unmarshal(members["value"], &p.rows); err != nil {
		return err
	}
	if p.rows == nil {
		return errors.New("null and no list")
	}
	return strictText(members["nextLink"], &p.next)
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
