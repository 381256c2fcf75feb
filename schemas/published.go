package schemas

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

// publishedText is what tools/list shows of each tool, one line a tool: making
// it of the types at every start would take a fifth of the start. A test makes
// it anew and compares.
//
//go:embed published.jsonl
var publishedText []byte

// Published is a tool's schemas as tools/list shows them.
type Published struct {
	Tool   string          `json:"tool"`
	Input  json.RawMessage `json:"input"`
	Output json.RawMessage `json:"output"`
}

var published = sync.OnceValue(func() map[string]Published {
	all := map[string]Published{}
	for line := range bytes.Lines(publishedText) {
		var p Published
		if err := json.Unmarshal(line, &p); err != nil {
			panic("schemas: published.jsonl: " + err.Error()) // a test reads all of it
		}
		all[p.Tool] = p
	}
	return all
})

// Published returns the operation's schemas as tools/list shows them.
func (o Operation) Published() Published { return published()[o.Name] }

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the wire contract of the provider's six operations, and of the
// four calls of Azure Resource Manager that read roles, as an OpenAPI 3.1 document
// in JSON. It is written by hand; tests compare it with the constants here, with
// the simulator and with armclient.
func OpenAPI() []byte { return slices.Clone(openAPI) }
