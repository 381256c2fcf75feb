package app

import (
	"mcp-partner/internal/contract"
)

// Wire is a client of its own that is watched, and the kind of its credential.
func (c *clients) Wire(tenant, credential string) (*contract.Wire, string, error) {
	where, err := c.place(tenant, credential)
	if err != nil {
		return nil, "", err
	}
	source, options, err := c.options(where)
	if err != nil {
		return nil, "", err
	}
	wire, err := contract.Dial(source, options)
	return wire, string(where.Credential.Kind), err
}
