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
		"number as partner ID":     {register, `{"partner_id":1234567}`, problems.CodeInvalidPartnerID, "write it in quotes"},
		"letters":                  {register, `{"partner_id":"12345ab"}`, problems.CodeInvalidPartnerID, "other than ASCII digits"},
		"fullwidth digits":         {register, `{"partner_id":"１２３４５６７"}`, problems.CodeInvalidPartnerID, "other than ASCII digits"},
		"GUID":                     {register, `{"partner_id":"0a1b2c3d-0000-4000-8000-000000000001"}`, problems.CodeInvalidPartnerID, "Customer Usage Attribution"},
		"too short":                {register, `{"partner_id":"123"}`, problems.CodeInvalidPartnerID, "has 3 digits"},
		"too long":                 {register, `{"partner_id":"12345678901"}`, problems.CodeInvalidPartnerID, "has 11 digits"},
		"empty partner ID":         {register, `{"partner_id":""}`, problems.CodeInvalidPartnerID, "is empty"},
		"spaces":                   {register, `{"partner_id":" 1234567"}`, problems.CodeInvalidPartnerID, `"1234567" preceded by a space`},
		"path":                     {register, `{"partner_id":"../1234567"}`, problems.CodeInvalidPartnerID, "other than ASCII digits"},
		"missing partner ID":       {register, `{"tenant":"contoso"}`, problems.CodeInvalidArgument, "partner_id is missing"},
		"null partner ID":          {register, `{"partner_id":null}`, problems.CodeInvalidArgument, "partner_id is null"},
		"unknown with neighbor":    {register, `{"partner_id":"1234567","tennant":"x"}`, problems.CodeUnknownArgument, "did you mean tenant?"},
		"unknown":                  {register, `{"partner_id":"1234567","zzzzzz":"x"}`, problems.CodeUnknownArgument, "it takes tenant, credential"},
		"wrong case":               {register, `{"Partner_ID":"1234567"}`, problems.CodeUnknownArgument, "write it as partner_id"},
		"dashes":                   {register, `{"partner-id":"1234567"}`, problems.CodeUnknownArgument, "write it as partner_id"},
		"given twice":              {register, `{"partner_id":"1234567","partner_id":"7654321"}`, problems.CodeInvalidArgument, "given twice"},
		"array":                    {register, `[]`, problems.CodeInvalidArgument, "not one JSON object"},
		"two objects":              {register, `{} {}`, problems.CodeInvalidArgument, "well-formed"},
		"cut":                      {register, `{"partner_id":"12345`, problems.CodeInvalidArgument, "well-formed"},
		"invalid UTF-8":            {register, "{\"partner_id\":\"\xff\"}", problems.CodeInvalidArgument, "UTF-8"},
		"tenant of wrong type":     {register, `{"partner_id":"1234567","tenant":7}`, problems.CodeInvalidArgument, "must be a string"},
		"limit too high":           {list, `{"limit":1000}`, problems.CodeInvalidArgument, "from 1 to 200"},
		"limit in words":           {list, `{"limit":"ten"}`, problems.CodeInvalidArgument, "whole number"},
		"limit as fraction":        {list, `{"limit":1.5}`, problems.CodeInvalidArgument, "whole number"},
		"discover as a word":       {list, `{"discover":"yes"}`, problems.CodeInvalidArgument, "true or false"},
		"discover as a number":     {list, `{"discover":1}`, problems.CodeInvalidArgument, "true or false"},
		"half a row":               {list, `{"limit":"2.5"}`, problems.CodeInvalidArgument, "whole number"},
		"one tenant as text":       {audit, `{"tenants":"contoso"}`, problems.CodeInvalidArgument, "must be an array"},
		"an ID as a number":        {check, `{"partner_id":1234567}`, problems.CodeInvalidPartnerID, "write it in quotes"},
		"IDs as numbers":           {audit, `{"own_partner_ids":"[1234567]"}`, problems.CodeInvalidPartnerID, "write it in quotes"},
		"misspelt in a read":       {audit, `{"tenantss":["contoso"]}`, problems.CodeUnknownArgument, "did you mean tenants?"},
		"wrong case in a read":     {audit, `{"Tenants":["contoso"]}`, problems.CodeUnknownArgument, "write it as tenants"},
		"not from a client":        {list, `{"run":"x"}`, problems.CodeUnknownArgument, "it takes"},
		"a member in a write":      {register, `{"partner_id":"1234567","toolCallId":"x"}`, problems.CodeUnknownArgument, "it takes"},
		"text in a write":          {register, `"{\"partner_id\":\"1234567\"}"`, problems.CodeInvalidArgument, "not one JSON object"},
		"list text in a write":     {ensure, `{"tenants":"[\"contoso\"]"}`, problems.CodeInvalidArgument, "must be an array"},
		"flag text in a write":     {ensure, `{"plan":"true"}`, problems.CodeInvalidArgument, "true or false"},
		"no tenants in a write":    {ensure, `{"tenants":[]}`, problems.CodeInvalidArgument, "empty list"},
		"empty tenants in a write": {ensure, `{"tenants":""}`, problems.CodeInvalidArgument, "must be an array"},
		"empty bound in a write":   {ensure, `{"first":""}`, problems.CodeInvalidArgument, "whole number"},
		"a space after a name":     {audit, `{"tenants ":["contoso"]}`, problems.CodeUnknownArgument, `"tenants" followed by a space`},
		"a hidden character":       {schemas.ToolTransitionPartner, `{"strategy":"update\u200b"}`, problems.CodeInvalidArgument, "followed by U+200B"},
		"no query":                 {schemas.ToolFindPartnerTool, `{"query":""}`, problems.CodeInvalidArgument, "is empty"},
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
