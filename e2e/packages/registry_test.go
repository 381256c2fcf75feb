package packages

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/registry/pkg/api/v0"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is the registry's own, out of its module.
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	module := strings.TrimSpace(run(t, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/modelcontextprotocol/registry"))
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join(module, "internal", "validators", "schemas", name))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestRegistryEntry validates what serverjson makes of the template, and what
// the registry's own types make of that.
func TestRegistryEntry(t *testing.T) {
	t.Parallel()
	bundle := filepath.Join(t.TempDir(), "mcp-partner_1.2.3_linux_amd64.mcpb")
	if err := os.WriteFile(bundle, []byte("stands for a bundle"), 0o600); err != nil {
		t.Fatal(err)
	}
	filled := run(t, root, "deploy/serverjson", "io.github.owner/mcp-partner", "1.2.3", "https://example.com/releases", bundle)
	template, err := os.ReadFile(filepath.Join(root, "deploy", "server.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"the template": string(template), "filled in": filled} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema(t, "2025-12-11.json").Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var entry v0.ServerJSON
	if err := json.Unmarshal([]byte(filled), &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Version != "1.2.3" || len(entry.Packages) != 1 || entry.Packages[0].Identifier != "https://example.com/releases/"+filepath.Base(bundle) ||
		entry.Packages[0].FileSHA256 != digest(t, bundle) {
		t.Errorf("filled in: %+v", entry)
	}
}
