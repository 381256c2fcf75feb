package schemas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"

	"mcp-partner/schemas"
)

// TestReadArgumentsAreCoercedWhenUnambiguous decodes two spellings of the same arguments.
func TestReadArgumentsAreCoercedWhenUnambiguous(t *testing.T) {
	t.Parallel()
	const check, list, audit = schemas.ToolCheckPartnerLink, schemas.ToolListTenants, schemas.ToolAuditPartnerLinks
	for name, test := range map[string]struct{ tool, sent, means string }{
		"a number as text": {tool: list, sent: `{"limit":"2"}`, means: `{"limit":2}`},
		"a float as text":  {tool: list, sent: `{"limit":" 2.0 "}`, means: `{"limit":2}`},
		"a whole float":    {tool: list, sent: `{"limit":2.0}`, means: `{"limit":2}`},
		"an exponent":      {tool: list, sent: `{"limit":1e1}`, means: `{"limit":10}`},
		"false as text":    {tool: list, sent: `{"discover":"false"}`, means: `{"discover":false}`},
		"True as text":     {tool: list, sent: `{"discover":"True"}`, means: `{"discover":true}`},
		"a list as text": {
			tool: audit, sent: `{"tenants":"[\"contoso\", \"fabrikam\"]"}`, means: `{"tenants":["contoso","fabrikam"]}`,
		},
		"partner IDs as text":   {tool: audit, sent: `{"own_partner_ids":"[\"1234567\"]"}`, means: `{"own_partner_ids":["1234567"]}`},
		"all arguments as text": {tool: check, sent: `"{\"tenant\":\"contoso\"}"`, means: `{"tenant":"contoso"}`},
		"no arguments as text":  {tool: list, sent: `""`, means: `{}`},
		"an empty credential":   {tool: check, sent: `{"tenant":"contoso","credential":""}`, means: `{"tenant":"contoso"}`},
		"an empty partner ID":   {tool: check, sent: `{"tenant":"contoso","partner_id":""}`, means: `{"tenant":"contoso"}`},
		"an empty cursor":       {tool: list, sent: `{"cursor":"","limit":2}`, means: `{"limit":2}`},
		"an empty number":       {tool: list, sent: `{"limit":"","discover":""}`, means: `{}`},
		"empty lists": {
			tool: audit, sent: `{"tenants":["contoso"],"labels":[],"own_partner_ids":"[]"}`, means: `{"tenants":["contoso"]}`,
		},
		"spaces around a name":         {tool: check, sent: `{"tenant":" contoso\u00a0"}`, means: `{"tenant":"contoso"}`},
		"spaces around names":          {tool: audit, sent: `{"tenants":[" contoso ","fabrikam"]}`, means: `{"tenants":["contoso","fabrikam"]}`},
		"spaces alone":                 {tool: check, sent: `{"tenant":"  "}`, means: `{}`},
		"a person's words stay theirs": {tool: schemas.ToolFindPartnerTool, sent: `{"query":" 5 "}`, means: `{"query":" 5 "}`},
		"an empty text in a write": {
			tool: schemas.ToolRegisterPartner, sent: `{"partner_id":"1234567","tenant":"","reason":""}`, means: `{"partner_id":"1234567"}`,
		},
		"a whole float in a write": {tool: schemas.ToolEnsurePartnerLinks, sent: `{"first":3.0}`, means: `{"first":3}`},
		"members of a client": {
			tool: check, sent: `{"tenant":"contoso","toolCallId":"call_0","sessionId":7}`, means: `{"tenant":"contoso"}`,
		},
		"an empty list of client's text": {tool: audit, sent: `{"labels":" "}`, means: `{}`},
	} {
		got, err := lookup(t, test.tool).Decode(json.RawMessage(test.sent))
		want, wrong := lookup(t, test.tool).Decode(json.RawMessage(test.means))
		if err != nil || wrong != nil {
			t.Errorf("%s: %v, %v", name, err, wrong)
		} else if diff := cmp.Diff(want.Input, got.Input); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// clientMembers is the file that lists what is passed over.
func clientMembers(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("clientmembers.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSpace(string(text)), "\n")
	return slices.DeleteFunc(names, func(line string) bool { return strings.HasPrefix(line, "#") })
}

func TestClientMembersAreIgnoredAndNamed(t *testing.T) {
	t.Parallel()
	for _, name := range clientMembers(t) {
		for _, op := range schemas.Catalogue() {
			if op.InputSchema().Properties[name] != nil {
				t.Errorf("%s is an argument of %s", name, op.Name)
			}
		}
		got, err := lookup(t, schemas.ToolListTenants).Decode(json.RawMessage(fmt.Sprintf(`{%q:{"a":[1]},%[1]q:2,"limit":3}`, name)))
		if err != nil || !slices.Equal(got.Ignored, []string{name}) || got.Input.(*schemas.ListTenantsInput).Limit != 3 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, must := range []string{"toolCallId", "sessionId", "action", "chatInput", "tool"} {
		if !slices.Contains(clientMembers(t), must) {
			t.Errorf("clientmembers.txt has no %s", must)
		}
	}
}

// TestDecoderAcceptsWhatSchemaAllows draws arguments from the published
// schemas, with members of clients.txt beside them where the tool reads.
func TestDecoderAcceptsWhatSchemaAllows(t *testing.T) {
	t.Parallel()
	added := clientMembers(t)
	for _, op := range schemas.Catalogue() {
		var published jsonschema.Schema
		if err := json.Unmarshal(op.Published().Input, &published); err != nil {
			t.Fatal(err)
		}
		validator := compiled(t, op)
		t.Run(op.Name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				drawn := map[string]json.RawMessage{}
				for _, name := range sortedNames(published.Properties) {
					if slices.Contains(published.Required, name) || rapid.Bool().Draw(t, "with "+name) {
						drawn[name] = value(t, name, published.Properties[name])
					}
				}
				raw, err := json.Marshal(drawn)
				var object any
				if err != nil || json.Unmarshal(raw, &object) != nil || validator.Validate(object) != nil {
					t.Fatalf("the generator drew %s, which the schema refuses", raw)
				}
				if !op.Effect.Writes() && rapid.Bool().Draw(t, "with a member of a client") {
					drawn[rapid.SampledFrom(added).Draw(t, "member")] = json.RawMessage(`"x"`)
					raw, _ = json.Marshal(drawn)
				}
				if _, err := op.Decode(raw); err != nil {
					t.Fatalf("%s: %v", raw, err)
				}
			})
		})
	}
}

func sortedNames(properties map[string]*jsonschema.Schema) []string {
	var names []string
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// value draws a JSON value that a schema admits.
func value(t *rapid.T, name string, s *jsonschema.Schema) json.RawMessage {
	switch s.Type {
	case "array":
		least := 0
		if s.MinItems != nil {
			least = *s.MinItems
		}
		items := make([]json.RawMessage, rapid.IntRange(least, min(4, *s.MaxItems)).Draw(t, name+" items"))
		for i := range items {
			items[i] = value(t, name, s.Items)
		}
		return encode(items)
	case "integer":
		n := rapid.IntRange(int(*s.Minimum), int(*s.Maximum)).Draw(t, name)
		return json.RawMessage(fmt.Sprintf(rapid.SampledFrom([]string{"%d", "%d.0", "%d00e-2", "%de0"}).Draw(t, name+" spelt"), n))
	case "boolean":
		return encode(rapid.Bool().Draw(t, name))
	default:
		return encode(text(t, name, s))
	}
}

func text(t *rapid.T, name string, s *jsonschema.Schema) string {
	if len(s.Enum) > 0 {
		return fmt.Sprint(rapid.SampledFrom(s.Enum).Draw(t, name))
	}
	if s.Pattern != "" {
		return rapid.StringMatching(s.Pattern).Draw(t, name)
	}
	least, most := 0, 40
	if s.MinLength != nil {
		least = *s.MinLength
	}
	if s.MaxLength != nil {
		most = min(most, *s.MaxLength)
	}
	return rapid.StringN(least, most, -1).Draw(t, name)
}

func encode(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}
