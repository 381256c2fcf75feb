package schemas_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

func lookup(t testing.TB, name string) schemas.Operation {
	t.Helper()
	op, ok := schemas.Lookup(name)
	if !ok {
		t.Fatalf("no operation %s", name)
	}
	return op
}

func TestDecodeFillsTheInput(t *testing.T) {
	t.Parallel()
	got, err := lookup(t, schemas.ToolUpdatePartner).Decode(json.RawMessage(
		`{"tenant":"contoso","credential":null,"partner_id":"1234567","expected_current_partner_id":"7654321","reason":"merger"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &schemas.UpdatePartnerInput{
		Target: schemas.Target{Tenant: "contoso"}, PartnerID: "1234567", ExpectedCurrentPartnerID: "7654321",
		Confirmation: schemas.Confirmation{Reason: "merger"},
	}
	if diff := cmp.Diff(want, got.Input); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeReadsEmptyInputAsEmptyObject(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", "{}", " { } "} {
		if _, err := lookup(t, schemas.ToolCheckPartnerLink).Decode(json.RawMessage(raw)); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestDecodeRefusals(t *testing.T) {
	t.Parallel()
	const (
		register, list = schemas.ToolRegisterPartner, schemas.ToolListTenants
		audit, ensure  = schemas.ToolAuditPartnerLinks, schemas.ToolEnsurePartnerLinks
		check          = schemas.ToolCheckPartnerLink
	)
	for name, test := range map[string]struct {
		tool, raw string
		code      problems.Code
		says      string
	}{
		"number as partner ID": {tool: register, raw: `{"partner_id":1234567}`, code: problems.CodeInvalidPartnerID, says: "write it in quotes"},
		"letters": {
			tool: register, raw: `{"partner_id":"12345ab"}`, code: problems.CodeInvalidPartnerID, says: "other than ASCII digits",
		},
		"fullwidth digits": {
			tool: register, raw: `{"partner_id":"１２３４５６７"}`, code: problems.CodeInvalidPartnerID,
			says: "other than ASCII digits",
		},
		"GUID": {
			tool: register, raw: `{"partner_id":"0a1b2c3d-0000-4000-8000-000000000001"}`, code: problems.CodeInvalidPartnerID,
			says: "Customer Usage Attribution",
		},
		"too short": {tool: register, raw: `{"partner_id":"123"}`, code: problems.CodeInvalidPartnerID, says: "has 3 digits"},
		"too long": {
			tool: register, raw: `{"partner_id":"12345678901"}`, code: problems.CodeInvalidPartnerID, says: "has 11 digits",
		},
		"empty partner ID": {tool: register, raw: `{"partner_id":""}`, code: problems.CodeInvalidPartnerID, says: "is empty"},
		"spaces": {
			tool: register, raw: `{"partner_id":" 1234567"}`, code: problems.CodeInvalidPartnerID, says: `"1234567" preceded by a space`,
		},
		"path": {
			tool: register, raw: `{"partner_id":"../1234567"}`, code: problems.CodeInvalidPartnerID, says: "other than ASCII digits",
		},
		"missing partner ID": {tool: register, raw: `{"tenant":"contoso"}`, code: problems.CodeInvalidArgument, says: "partner_id is missing"},
		"null partner ID":    {tool: register, raw: `{"partner_id":null}`, code: problems.CodeInvalidArgument, says: "partner_id is null"},
		"unknown with neighbor": {
			tool: register, raw: `{"partner_id":"1234567","tennant":"x"}`, code: problems.CodeUnknownArgument, says: "did you mean tenant?",
		},
		"unknown": {
			tool: register, raw: `{"partner_id":"1234567","zzzzzz":"x"}`, code: problems.CodeUnknownArgument,
			says: "it takes tenant, credential",
		},
		"wrong case": {
			tool: register, raw: `{"Partner_ID":"1234567"}`, code: problems.CodeUnknownArgument, says: "write it as partner_id",
		},
		"dashes": {
			tool: register, raw: `{"partner-id":"1234567"}`, code: problems.CodeUnknownArgument, says: "write it as partner_id",
		},
		"given twice": {
			tool: register, raw: `{"partner_id":"1234567","partner_id":"7654321"}`, code: problems.CodeInvalidArgument, says: "given twice",
		},
		"array":         {tool: register, raw: `[]`, code: problems.CodeInvalidArgument, says: "not one JSON object"},
		"two objects":   {tool: register, raw: `{} {}`, code: problems.CodeInvalidArgument, says: "well-formed"},
		"cut":           {tool: register, raw: `{"partner_id":"12345`, code: problems.CodeInvalidArgument, says: "well-formed"},
		"invalid UTF-8": {tool: register, raw: "{\"partner_id\":\"\xff\"}", code: problems.CodeInvalidArgument, says: "UTF-8"},
		"tenant of wrong type": {
			tool: register, raw: `{"partner_id":"1234567","tenant":7}`, code: problems.CodeInvalidArgument, says: "must be a string",
		},
		"limit too high":       {tool: list, raw: `{"limit":1000}`, code: problems.CodeInvalidArgument, says: "from 1 to 200"},
		"limit in words":       {tool: list, raw: `{"limit":"ten"}`, code: problems.CodeInvalidArgument, says: "whole number"},
		"limit as fraction":    {tool: list, raw: `{"limit":1.5}`, code: problems.CodeInvalidArgument, says: "whole number"},
		"discover as a word":   {tool: list, raw: `{"discover":"yes"}`, code: problems.CodeInvalidArgument, says: "true or false"},
		"discover as a number": {tool: list, raw: `{"discover":1}`, code: problems.CodeInvalidArgument, says: "true or false"},
		"half a row":           {tool: list, raw: `{"limit":"2.5"}`, code: problems.CodeInvalidArgument, says: "whole number"},
		"one tenant as text":   {tool: audit, raw: `{"tenants":"contoso"}`, code: problems.CodeInvalidArgument, says: "must be an array"},
		"an ID as a number":    {tool: check, raw: `{"partner_id":1234567}`, code: problems.CodeInvalidPartnerID, says: "write it in quotes"},
		"IDs as numbers": {
			tool: audit, raw: `{"own_partner_ids":"[1234567]"}`, code: problems.CodeInvalidPartnerID, says: "write it in quotes",
		},
		"misspelt in a read": {
			tool: audit, raw: `{"tenantss":["contoso"]}`, code: problems.CodeUnknownArgument, says: "did you mean tenants?",
		},
		"wrong case in a read": {tool: audit, raw: `{"Tenants":["contoso"]}`, code: problems.CodeUnknownArgument, says: "write it as tenants"},
		"not from a client":    {tool: list, raw: `{"run":"x"}`, code: problems.CodeUnknownArgument, says: "it takes"},
		"a member in a write": {
			tool: register, raw: `{"partner_id":"1234567","toolCallId":"x"}`, code: problems.CodeUnknownArgument, says: "it takes",
		},
		"text in a write": {
			tool: register, raw: `"{\"partner_id\":\"1234567\"}"`, code: problems.CodeInvalidArgument, says: "not one JSON object",
		},
		"list text in a write":     {tool: ensure, raw: `{"tenants":"[\"contoso\"]"}`, code: problems.CodeInvalidArgument, says: "must be an array"},
		"flag text in a write":     {tool: ensure, raw: `{"plan":"true"}`, code: problems.CodeInvalidArgument, says: "true or false"},
		"no tenants in a write":    {tool: ensure, raw: `{"tenants":[]}`, code: problems.CodeInvalidArgument, says: "empty list"},
		"empty tenants in a write": {tool: ensure, raw: `{"tenants":""}`, code: problems.CodeInvalidArgument, says: "must be an array"},
		"empty bound in a write":   {tool: ensure, raw: `{"first":""}`, code: problems.CodeInvalidArgument, says: "whole number"},
		"a space after a name": {
			tool: audit, raw: `{"tenants ":["contoso"]}`, code: problems.CodeUnknownArgument, says: `"tenants" followed by a space`,
		},
		"a hidden character": {
			tool: schemas.ToolTransitionPartner, raw: `{"strategy":"update\u200b"}`, code: problems.CodeInvalidArgument,
			says: "followed by U+200B",
		},
		"no query": {tool: schemas.ToolFindPartnerTool, raw: `{"query":""}`, code: problems.CodeInvalidArgument, says: "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := lookup(t, test.tool).Decode(json.RawMessage(test.raw))
			var problem *problems.Problem
			if !errors.As(err, &problem) || problem.Code != test.code || !strings.Contains(problem.Message, test.says) {
				t.Errorf("got %v, want %s saying %q", err, test.code, test.says)
			}
			if problem != nil && !problem.Refusal() {
				t.Errorf("%s is no refusal", problem.Code)
			}
		})
	}
}

// compiled compiles an operation's published input schema with an independent
// validator.
func compiled(t testing.TB, op schemas.Operation) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("mem:///input", schemas.Object(op.InputSchema())); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("mem:///input")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// FuzzDecode holds the decoder against the published schema: whatever it accepts
// for a tool that writes is valid there (null and an empty text, which it takes
// for absent, aside). Tools that read take more.
func FuzzDecode(f *testing.F) {
	for _, op := range schemas.Catalogue() {
		for _, example := range op.Examples {
			f.Add(op.Name, []byte(example.Arguments))
		}
	}
	f.Add(schemas.ToolListTenants, []byte(`{"limit":3e0}`))
	f.Add(schemas.ToolRegisterPartner, []byte(`{"partner_id":"1234567","partner_id":1}`))
	validators := map[string]*jsonschema.Schema{}
	for _, op := range schemas.Catalogue() {
		validators[op.Name] = compiled(f, op)
	}
	f.Fuzz(func(t *testing.T, tool string, raw []byte) {
		op, ok := schemas.Lookup(tool)
		if !ok {
			return
		}
		_, err := op.Decode(raw)
		if err != nil {
			var problem *problems.Problem
			if !errors.As(err, &problem) || !utf8.ValidString(problem.Message) {
				t.Fatalf("an error that is no clean problem: %v", err)
			}
			return
		}
		var object map[string]any
		if !op.Effect.Writes() || json.Unmarshal(raw, &object) != nil {
			return // nothing, taken for the empty object
		}
		for name, value := range object {
			if value == nil || value == "" {
				delete(object, name)
			}
		}
		if err := validators[tool].Validate(object); err != nil {
			t.Fatalf("accepted %s, which the schema refuses: %v", raw, err)
		}
	})
}

func BenchmarkDecodeArguments(b *testing.B) {
	op := lookup(b, schemas.ToolUpdatePartner)
	raw := json.RawMessage(`{"tenant":"contoso","partner_id":"1234567","expected_current_partner_id":"7654321"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := op.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
