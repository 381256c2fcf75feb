package armclient

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

func operationsPage(next string, names ...string) reply {
	var rows []string
	for _, name := range names {
		rows = append(rows, fmt.Sprintf(`{"name":%q,"display":{"provider":"P\u001b[0m","resource":"R","operation":"O","description":"D"},"origin":"user"}`, name))
	}
	return ok(fmt.Sprintf(`{"value":[%s],"nextLink":%q}`, strings.Join(rows, ","), next))
}

func TestOperationsReadsAllPages(t *testing.T) {
	t.Parallel()
	w := replying(
		operationsPage(testEndpoint+schemas.PathOperations+"?api-version=2018-02-01&$skiptoken=2", "a", "b"),
		operationsPage("?api-version=2018-02-01&$skiptoken=3", "c"),
		ok(`{"value":[null,{"name":"d"},{"display":{}},{"name":"e","display":null}],"nextLink":null}`))
	rows, identity, err := testClient(t, w).Operations(t.Context())
	if err != nil || len(rows) != 5 || identity.ObjectID != objectID {
		t.Fatalf("%v, %v, %v", rows, identity, err)
	}
	if want := (answers.ProviderOperation{Name: "a", Provider: "P[0m", Resource: "R", Operation: "O", Description: "D", Origin: "user"}); rows[0] != want {
		t.Errorf("%+v", rows[0])
	}
	for i, s := range w.all() {
		if !strings.HasPrefix(s.url, testEndpoint+schemas.PathOperations+"?") || !strings.Contains(s.url, "api-version=2018-02-01") {
			t.Errorf("page %d: %s", i, s.url)
		}
	}
}

// The token must not follow a link that an answer names.
func TestNextLinkToAnotherHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{
		"other host":   "https://elsewhere.test" + schemas.PathOperations,
		"other port":   testEndpoint + ":8443" + schemas.PathOperations,
		"plain http":   "http://management.test" + schemas.PathOperations,
		"other path":   testEndpoint + "/subscriptions",
		"the link":     schemas.PathPartners,
		"no scheme":    "//elsewhere.test" + schemas.PathOperations,
		"user":         "https://management.test@elsewhere.test" + schemas.PathOperations,
		"no URL":       "https://%zz",
		"other scheme": "file:///etc/passwd",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(operationsPage(next, "a"))
			rows, _, err := testClient(t, w).Operations(t.Context())
			if rows != nil || codeOfErr(err) != problems.CodeUnexpectedResponse || len(w.all()) != 1 {
				t.Errorf("%v, %v, sent %v", rows, err, w.all())
			}
		})
	}
}

func TestListStopsAtMaxPages(t *testing.T) {
	t.Parallel()
	pages := 0
	endless := transportFunc(func(r *http.Request) (*http.Response, error) {
		pages++
		return operationsPage(fmt.Sprintf("?api-version=2018-02-01&page=%d", pages), "a").response(r), nil
	})
	_, _, err := newClient(t, withToken(goodToken()), testOptions(endless)).Operations(t.Context())
	if codeOfErr(err) != problems.CodeUnexpectedResponse || pages != maxPages {
		t.Errorf("%v after %d pages", err, pages)
	}
}

// A page that was read is not read again.
func TestRepeatedNextLinkIsRefused(t *testing.T) {
	t.Parallel()
	const a, b = "?api-version=2018-02-01&page=a", "?api-version=2018-02-01&page=b"
	for name, test := range map[string]struct {
		replies []reply
		sent    int
	}{
		"itself":    {[]reply{operationsPage(a, "x")}, 2},
		"the first": {[]reply{operationsPage("?api-version=2018-02-01", "x")}, 1},
		"absolute":  {[]reply{operationsPage(a, "x"), operationsPage(testEndpoint+schemas.PathOperations+a, "y")}, 2},
		"a circle":  {[]reply{operationsPage(a, "x"), operationsPage(b, "y"), operationsPage(a, "z")}, 3},
	} {
		w := replying(test.replies...)
		rows, _, err := testClient(t, w).Operations(t.Context())
		if rows != nil || codeOfErr(err) != problems.CodeUnexpectedResponse || len(w.all()) != test.sent {
			t.Errorf("%s: %v, %v, sent %v", name, rows, err, w.all())
		}
	}
}

func TestListFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		replies []reply
		want    problems.Code
	}{
		"second page":  {[]reply{operationsPage("?x", "a"), coded(403, "X")}, problems.CodeForbidden},
		"no provider":  {[]reply{coded(404, "InvalidResourceType")}, problems.CodeProviderUnavailable},
		"empty":        {[]reply{{status: 200}}, problems.CodeUnexpectedResponse},
		"null":         {[]reply{ok(`null`)}, problems.CodeUnexpectedResponse},
		"array":        {[]reply{ok(`[]`)}, problems.CodeUnexpectedResponse},
		"other shapes": {[]reply{ok(`{"value":{"name":"x"}}`)}, problems.CodeUnexpectedResponse},
	} {
		rows, identity, err := testClient(t, replying(test.replies...)).Operations(t.Context())
		if rows != nil || codeOfErr(err) != test.want || identity.TenantID != tenantID {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
}

func TestEmptyListIsNotNil(t *testing.T) {
	t.Parallel()
	rows, _, err := testClient(t, replying(ok(`{"value":[]}`))).Operations(t.Context())
	if err != nil || rows == nil || len(rows) != 0 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	w := replying(
		ok(`{"value":[{"id":"/tenants/`+tenantID+`","tenantId":"`+strings.ToUpper(tenantID)+`","displayName":"Con\u202etoso","defaultDomain":"contoso.example",
			"domains":["contoso.example","b.example",null,""],"tenantCategory":"Home"}],"nextLink":"/tenants?api-version=2022-12-01&$skiptoken=x"}`),
		ok(`{"value":[{"id":"/tenants/`+otherID+`","tenantCategory":"ManagedBy"},{"tenantId":"no guid"}]}`))
	rows, identity, err := testClient(t, w).Tenants(t.Context())
	if err != nil || len(rows) != 2 || identity.TenantID != tenantID {
		t.Fatalf("%+v, %v", rows, err)
	}
	first := rows[0]
	if first.TenantID != tenantID || first.DisplayName != "Contoso" || strings.Join(first.Domains, " ") != "contoso.example b.example" ||
		first.Category != "Home" || first.InDirectory || first.Name != "" || first.Cloud != "public" {
		t.Errorf("%+v", first)
	}
	if rows[1].TenantID != otherID || rows[1].Category != "ManagedBy" {
		t.Errorf("%+v", rows[1])
	}
	if got := w.all()[0].url; got != testEndpoint+"/tenants?api-version=2022-12-01" {
		t.Error(got)
	}
}
