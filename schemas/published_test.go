package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
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
		p := schemas.Published{Tool: op.Name, Input: encoded(t, op.InputSchema()), Output: encoded(t, outputSchema(op))}
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
		if p := op.Published(); !bytes.Equal(p.Input, encoded(t, op.InputSchema())) || !bytes.Equal(p.Output, encoded(t, outputSchema(op))) {
			t.Errorf("%s is published with other schemas", op.Name)
		}
	}
}

// outputSchema is what tools/list publishes: what every answer has, and what an
// agent branches on. The whole one is AnswerSchema, which an agent reads at
// partner://schemas/{tool}.
func outputSchema(op schemas.Operation) *jsonschema.Schema {
	full := op.AnswerSchema()
	status, summary := full.Properties["status"], full.Properties["summary"]
	ends := status.Enum
	if !op.Effect.Writes() {
		ends = []any{string(answers.StatusDone), string(answers.StatusRefused), string(answers.StatusFailed)}
	}
	return &jsonschema.Schema{
		Type: "object", Required: full.Required, PropertyOrder: []string{"status", "summary", "problem"},
		Properties: map[string]*jsonschema.Schema{
			"status": {Type: status.Type, Enum: ends}, "summary": {Type: summary.Type}, "problem": {Type: "object"},
		},
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
