package contract

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcp-partner/armclient"
	"mcp-partner/schemas"
)

func load(t testing.TB) *Document {
	t.Helper()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The document and the constants that armclient is made of say the same.
func TestDocumentHasTheOperationsOfLinksAndRoles(t *testing.T) {
	t.Parallel()
	d := load(t)
	var got []string
	for _, op := range d.Operations() {
		got = append(got, op.ID+" "+op.Method+" "+op.Path)
	}
	partner := strings.Replace(schemas.PathPartner, "{partner_id}", "{partnerId}", 1)
	want := []string{
		"Operation_List GET " + schemas.PathOperations, "Partners_Get GET " + schemas.PathPartners,
		"Partner_Get GET " + partner, "Partner_Create PUT " + partner, "Partner_Update PATCH " + partner, "Partner_Delete DELETE " + partner,
		"Subscriptions_List GET /subscriptions",
		"RoleAssignments_ListForScope GET /subscriptions/{subscriptionId}/providers/Microsoft.Authorization/roleAssignments",
		"RoleDefinitions_Get GET /subscriptions/{subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
		"RoleAssignmentScheduleInstances_ListForScope GET /providers/Microsoft.Authorization/roleAssignmentScheduleInstances",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	parameters, _ := d.child(place{d.root, "#"}, "components")
	parameters, _ = d.child(parameters, "parameters")
	version := parameters.node["ApiVersion"].(node)["schema"].(node)["const"]
	if version != schemas.APIVersion || d.root["info"].(node)["version"] != schemas.APIVersion {
		t.Errorf("the document is for version %v", version)
	}
	register, _ := schemas.Lookup(schemas.ToolRegisterPartner)
	pattern := parameters.node["PartnerId"].(node)["schema"].(node)["pattern"]
	if pattern != register.InputSchema().Properties["partner_id"].Pattern {
		t.Errorf("the document's partner IDs have the form %v", pattern)
	}
}

// Every schema of a parameter, a header or a body can be compiled.
func TestEverySchemaCompiles(t *testing.T) {
	t.Parallel()
	d, compiled := load(t), 0
	var walk func(p place)
	walk = func(p place) {
		for name, value := range p.node {
			inner, _ := value.(node)
			if name != "schema" {
				walk(place{inner, p.at + "/" + escapePointer(name)})
			} else if _, err := d.schema(p); err != nil {
				t.Errorf("%s: %v", p.at, err)
			} else {
				compiled++
			}
		}
	}
	walk(place{d.root, "#"})
	if compiled < 20 {
		t.Errorf("only %d schemas", compiled)
	}
}

// The additions of this document to what is published, so that none is removed
// by accident.
func TestEveryOperationIsComplete(t *testing.T) {
	t.Parallel()
	d := load(t)
	security, _ := json.Marshal(d.root["security"])
	for _, scheme := range []string{"user", "servicePrincipal", "bearer"} {
		if !strings.Contains(string(security), `"`+scheme+`"`) {
			t.Errorf("no security for %s", scheme)
		}
	}
	for _, op := range d.Operations() {
		if op.place.node["requestBody"] != nil {
			t.Errorf("%s takes a body", op.ID)
		}
		for _, status := range []string{"200", "400", "401", "403", "404", "429", "5XX"} {
			if !slices.Contains(d.documented(op), status) {
				t.Errorf("%s does not document %s", op.ID, status)
			}
		}
		responses, _ := d.child(op.place, "responses")
		for status := range responses.node {
			response, _ := d.child(responses, status)
			checkResponse(t, d, op.ID+" "+status, response)
		}
	}
}

func checkResponse(t *testing.T, d *Document, name string, response place) {
	t.Helper()
	if text, _ := response.node["x-evidence"].(string); text == "" {
		t.Errorf("%s does not say how well it is known", name)
	}
	content, ok := d.child(response, "content")
	if !ok {
		if name != "Partner_Delete 200" {
			t.Errorf("%s has no content", name)
		}
		return
	}
	for kind := range content.node {
		media, _ := d.child(content, kind)
		examples, _ := d.child(media, "examples")
		if len(examples.node) == 0 {
			t.Errorf("%s has no example as %s", name, kind)
		}
		for key := range examples.node {
			example, _ := d.child(examples, key)
			value := normal(t, example.node["value"])
			if wrong := d.invalid(media, value); wrong != "" {
				t.Errorf("%s: the example %s is not valid: %s", name, key, wrong)
			}
			schema, _ := d.child(media, "schema")
			if strange := d.strangers(schema, value, ""); len(strange) > 0 {
				t.Errorf("%s: the example %s has %v", name, key, strange)
			}
		}
	}
}

// normal is a value as it comes off the wire.
func normal(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Both shapes of errors, and both at once, are among the examples of each error
// that the provider itself gives.
func TestErrorExamplesHaveBothShapes(t *testing.T) {
	t.Parallel()
	d := load(t)
	responses := d.root["components"].(node)["responses"].(node)
	for _, name := range []string{"NotLinked", "OtherPartner", "NothingToChange", "AlreadyLinked", "BadRequest"} {
		shapes := map[string]bool{}
		examples := responses[name].(node)["content"].(node)["application/json"].(node)["examples"].(node)
		for _, example := range examples {
			value := example.(node)["value"].(node)
			shapes[strings.Join(slices.Sorted(maps.Keys(value)), "+")] = true
		}
		for _, shape := range []string{"error", "code+message", "code+error+message"} {
			if !shapes[shape] {
				t.Errorf("%s has no example with %s", name, shape)
			}
		}
	}
}

func TestDocumentIsFormatted(t *testing.T) {
	t.Parallel()
	var compact, want bytes.Buffer
	if err := json.Compact(&compact, schemas.OpenAPI()); err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	if want.WriteByte('\n'); !bytes.Equal(want.Bytes(), schemas.OpenAPI()) {
		t.Error("schemas/openapi.json is not indented by two spaces, with one line break at its end")
	}
}

// A wrong answer is found whatever is wrong with it.
func TestWrongAnswersAreReported(t *testing.T) {
	t.Parallel()
	d := load(t)
	link := `{"properties":{"partnerId":"1234567","tenantId":"aaaaaaaa-0000-4000-8000-000000000001","objectId":"bbbbbbbb-0000-4000-8000-000000000001","version":1,` +
		`"updatedTime":"2026-03-02T08:15:30.1234567Z","createdTime":"2025-11-20T10:00:00Z","state":"Active"}}`
	for name, tt := range map[string]struct {
		method, kind, body string
		status             int
		header             http.Header
		want               string
	}{
		"good":                 {method: "GET", status: 200, body: link},
		"created":              {method: "PUT", status: 201, body: link, want: "status 201 is not documented"},
		"accepted":             {method: "PUT", status: 202, body: `{}`, want: "status 202 is not documented"},
		"long running":         {method: "PUT", status: 200, body: link, header: http.Header{"Location": {"https://x"}}, want: "long-running"},
		"a list":               {method: "GET", status: 200, body: `{"value":[]}`, want: "missing property 'properties'"},
		"an error inside":      {method: "GET", status: 200, body: strings.Replace(link, `{"prop`, `{"error":{"code":"NotFound"},"prop`, 1), want: "error"},
		"a number as ID":       {method: "GET", status: 200, body: strings.Replace(link, `"1234567"`, `1234567`, 1), want: "properties.partnerId (type)"},
		"a time that is none":  {method: "GET", status: 200, body: strings.Replace(link, `2025-11-20T10:00:00Z`, `yesterday`, 1), want: "properties.createdTime (format)"},
		"a body after DELETE":  {method: "DELETE", status: 200, body: link, want: "a body or a Content-Type"},
		"a third error shape":  {method: "GET", status: 404, body: `{"odata.error":{"code":"NotFound"}}`, want: "missing propert"},
		"text":                 {method: "GET", status: 404, kind: "text/plain", body: `"no"`, want: "Content-Type"},
		"no JSON":              {method: "GET", status: 200, body: `{`, want: "not JSON"},
		"no body":              {method: "GET", status: 200, kind: "none", want: "Content-Type"},
		"retry that is no one": {method: "GET", status: 429, body: `{"code":"TooManyRequests"}`},
	} {
		op, ok := d.Find(tt.method, schemas.PathPartners+"/1234567")
		if !ok {
			t.Fatal(tt.method)
		}
		x := armclient.Exchange{Method: tt.method, Status: tt.status, Body: []byte(tt.body), Header: tt.header.Clone()}
		if x.Header == nil {
			x.Header = http.Header{}
		}
		if tt.kind != "none" {
			x.Header.Set("Content-Type", cmpOr(tt.kind, "application/json; charset=utf-8"))
		}
		got := strings.Join(d.Answer(op, x).Differs, "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestWrongRequestsAreReported(t *testing.T) {
	t.Parallel()
	d := load(t)
	const (
		base            = "https://management.azure.com" + schemas.PathPartners
		object          = "bbbbbbbb-0000-4000-8000-000000000001"
		roleAssignments = "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
		roles           = "https://management.azure.com/subscriptions/dddddddd-0000-4000-8000-000000000001" + roleAssignments
	)
	for url, want := range map[string]string{
		base + "?api-version=2018-02-01":                   "",
		base + "/?api-version=2018-02-01":                  "",
		base + "/1234567?api-version=2018-02-01":           "",
		base + "/1234567?api-version=2018-02-01&force=1":   "does not know",
		base + "/1234567":                                  "api-version is missing",
		base + "/1234567?api-version=2025-01-01":           "api-version is not what",
		base + "/abc?api-version=2018-02-01":               "partnerId is not what",
		base + "/1234567/x?api-version=2018-02-01":         "no operation",
		"https://management.azure.com/tenants?api-version": "no operation",
		roles + "&$filter=assignedTo('" + object + "')":    "",
		roles: "$filter is missing",
		roles + "&$filter=principalId eq '" + object + "'":                                      "$filter is not what",
		"https://management.azure.com/subscriptions/x" + roleAssignments + "&$filter=atScope()": "subscriptionId is not what",
	} {
		got := strings.Join(d.request(armclient.Exchange{Method: "GET", URL: url, RequestHeader: http.Header{}}).Differs, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	body := armclient.Exchange{Method: "PUT", URL: base + "/1234567?api-version=2018-02-01", Sent: 2, RequestHeader: http.Header{"If-Match": {"3"}}}
	if got := d.request(body).Differs; len(got) != 2 {
		t.Errorf("a body and If-Match: %v", got)
	}
}
