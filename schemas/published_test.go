package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"mcp-partner/schemas"
)

var update = flag.Bool("update", false, "write published.jsonl anew")

// TestPublishedSchemasAreThoseOfTheTypes makes published.jsonl of the catalogue
// and compares. With -update it writes the file.
func TestPublishedSchemasAreThoseOfTheTypes(t *testing.T) {
	t.Parallel()
	var made bytes.Buffer
	encoder := json.NewEncoder(&made)
	encoder.SetEscapeHTML(false)
	for _, op := range schemas.Catalogue() {
		p := schemas.Published{Tool: op.Name, Input: encoded(t, op.InputSchema()), Output: encoded(t, op.OutputSchema())}
		if err := encoder.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile("published.jsonl", made.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	file, err := os.ReadFile("published.jsonl")
	if err != nil || !bytes.Equal(file, made.Bytes()) {
		t.Fatalf("published.jsonl is not what the types say (%v); run: bash .ci/generate", err)
	}
	for _, op := range schemas.Catalogue() {
		if p := op.Published(); !bytes.Equal(p.Input, encoded(t, op.InputSchema())) || !bytes.Equal(p.Output, encoded(t, op.OutputSchema())) {
			t.Errorf("%s is published with other schemas", op.Name)
		}
	}
}

func encoded(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
