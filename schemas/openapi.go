package schemas

import (
	_ "embed"
	"slices"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the wire contract of the provider's six operations as an
// OpenAPI 3.1 document in JSON. It is written by hand; tests hold it to the
// constants here, to the simulator and to armclient.
func OpenAPI() []byte { return slices.Clone(openAPI) }
