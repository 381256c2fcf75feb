package app

import (
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/armclient"
	"mcp-partner/tenants"
)

// ARM returns what a client of one tenant is built from, for a program that
// watches the exchanges itself, and the kind of its credential.
func (c *clients) ARM(tenant, credential string) (azcore.TokenCredential, armclient.Options, tenants.Kind, error) {
	where, err := c.place(tenant, credential)
	if err != nil {
		return nil, armclient.Options{}, "", err
	}
	source, options, err := c.options(where)
	return source, options, where.Credential.Kind, err
}
