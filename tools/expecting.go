package tools

import "mcp-partner/schemas"

// Expecting is a directory in which a tenant that expects no partner ID expects
// the partner's own one, where there is exactly one.
func Expecting(d Directory, own []string) Directory {
	if len(own) != 1 {
		return d
	}
	return expecting{d, own[0]}
}

type expecting struct {
	Directory
	id string
}

// Resolve implements Directory.
func (e expecting) Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error) {
	tenant, err := e.Directory.Resolve(ref, sees)
	return e.expect(tenant), err
}

// List implements Directory.
func (e expecting) List() ([]schemas.Tenant, error) {
	tenants, err := e.Directory.List()
	for i := range tenants {
		tenants[i] = e.expect(tenants[i])
	}
	return tenants, err
}

func (e expecting) expect(t schemas.Tenant) schemas.Tenant {
	if t.Name != "" && t.ExpectedPartnerID == "" {
		t.ExpectedPartnerID = e.id
	}
	return t
}
