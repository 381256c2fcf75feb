package schemas

import (
	_ "embed"
	"slices"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the wire contract of the provider's six operations, and of the
// four calls of Azure Resource Manager that read roles, as an OpenAPI 3.1 document
// in JSON. It is written by hand; tests compare it with the constants here, with
// the simulator and with armclient.
func OpenAPI() []byte { return slices.Clone(openAPI) }
