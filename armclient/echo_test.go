package armclient

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/answers"
)

// ways are how an endpoint could repeat the token of a request.
func ways(token string) map[string]string {
	return map[string]string{
		"whole":        token,
		"in a text":    "You sent " + token + ".",
		"a piece":      "..." + token[50:66],
		"the end":      token[len(token)-16:],
		"upper case":   strings.ToUpper(token[50:90]),
		"spaced":       strings.Join(strings.Split(token, ""), " "),
		"invisible":    strings.Join(strings.Split(token, ""), "\u200b"),
		"the scheme":   "Bearer x",
		"lower scheme": "authorization: bearer\u00a0x",
		"another JWT":  "eyJhbGciOi",
		"base64":       base64.StdEncoding.EncodeToString([]byte(token)),
		"base64url":    base64.RawURLEncoding.EncodeToString([]byte(token)),
		"hexadecimal":  hex.EncodeToString([]byte(token)),
		"in a word":    "xeyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9",
	}
}

// everywhere answers each kind of request with the text in every field that is
// shown.
func everywhere(t *testing.T, text string) string {
	t.Helper()
	said, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"x-ms-request-id": text, "x-ms-correlation-request-id": text, "Content-Type": "application/json"}
	fill := func(code int, body string) reply {
		return reply{status: code, header: header, body: strings.ReplaceAll(body, "$", string(said))}
	}
	link := fill(200, `{"properties":{"partnerId":"1234567","partnerName":$,"state":$,"createdTime":$,"version":3}}`)
	rows := fill(200, `{"value":[{"name":"n","origin":$,"display":{"provider":$,"resource":$,"operation":$,"description":$}}]}`)
	tenants := fill(200, `{"value":[{"tenantId":"`+tenantID+`","displayName":$,"defaultDomain":$,"domains":["nextLink",$],"tenantCategory":$}]}`)
	change := Change{http.MethodPatch, partner1, linkedTo(partner2, 3)}
	var all []any
	for _, answer := range []reply{link, fill(404, `{"error":{"code":$,"message":$}}`), fill(400, `{"code":$,"message":$,$:$}`), rows, tenants} {
		c := testClient(t, replying(answer))
		read, outcome := c.Link(t.Context()), c.Apply(t.Context(), permit(t, change), change)
		operations, _, err := c.Operations(t.Context())
		list, _, err2 := c.Tenants(t.Context())
		all = append(all, read, outcome, operations, err, list, err2)
	}
	written, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %+v", written, all)
}

func TestErrorsOmitEchoedToken(t *testing.T) {
	t.Parallel()
	const control = "harmless words of Contoso"
	if !strings.Contains(everywhere(t, control), control) {
		t.Fatal("untrusted text is not shown at all: the test proves nothing")
	}
	for name, text := range ways(goodToken()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := untrusted.Sanitize(text)
			if got := everywhere(t, text); strings.Contains(got, shown) || strings.Contains(got, text[:min(len(text), 20)]) {
				t.Errorf("%q is shown in %s", text, got)
			}
		})
	}
}

func TestTextWithoutTokenIsNoEcho(t *testing.T) {
	t.Parallel()
	e := echoOf("Bearer " + goodToken())
	for _, text := range []string{
		"", "Contoso Cloud Services", "HeyJohannes GmbH", "Forbearer", "The bearer", tenantID, objectID, goodToken()[40:55],
		"No partner is linked to this identity.", strings.Repeat("Contoso ", 2000), "株式会社コントソ",
	} {
		if e.in(text) {
			t.Errorf("%q is taken for the token", text)
		}
	}
	if echoOf("").in("anything at all, and more than sixteen characters") {
		t.Error("no token is taken for one")
	}
}

func TestRequestIDForms(t *testing.T) {
	t.Parallel()
	token := goodToken()
	for id, want := range map[string]string{
		testRequestID:               testRequestID,
		"westeurope:20260116T1350Z": "westeurope:20260116T1350Z",
		strings.Repeat("9", 64):     strings.Repeat("9", 64),
		strings.Repeat("9", 65):     "",
		"two words":                 "",
		"<b>":                       "",
		"id\x1b[31m":                "",
		token[60:70]:                "",
		"Bearer":                    "Bearer",
		"eyJhbGciOi":                "",
	} {
		answer := notFound()
		answer.header = map[string]string{"x-ms-request-id": id, "x-ms-correlation-request-id": testRequestID}
		read := testClient(t, replying(answer)).Link(t.Context())
		if read.RequestID != want || read.Link.State != answers.LinkNotLinked {
			t.Errorf("%q gives %q in %+v", id, read.RequestID, read.Link)
		}
	}
}

// The bytes of an answer without an echo stay as they are, and a nextLink does
// even with what looks like one.
func TestBodyWithoutEchoIsUnchanged(t *testing.T) {
	t.Parallel()
	e := echoOf("Bearer " + goodToken())
	for body, want := range map[string]string{
		` {"a" : "x", "a":[ "\u0041", null,1.50 ]} `:                   ` {"a" : "x", "a":[ "\u0041", null,1.50 ]} `,
		`{"nextLink" : "?skip=eyJhbGciOiJ9","b":"eyJhbGciOiJ9"}`:       `{"nextLink" : "?skip=eyJhbGciOiJ9","b":""}`,
		`["nextLink","eyJhbGciOiJ9"]`:                                  `["nextLink",""]`,
		`{"a":"nextLink" , "b" : "\u0065yJhbGciOiJ9" , "c":"Bearer "}`: `{"a":"nextLink" , "b" : "" , "c":""}`,
		``: ``,
	} {
		got, found, err := e.withoutEchoes([]byte(body))
		if string(got) != want || err != nil || found != (body != want) {
			t.Errorf("%s: %s, %v, %v", body, got, found, err)
		}
	}
	if _, _, err := e.withoutEchoes([]byte("<html>" + goodToken())); err == nil {
		t.Error("HTML was taken for JSON")
	}
}

// BenchmarkEcho is what the search for a token of usual length adds to an answer.
func BenchmarkEcho(b *testing.B) {
	claims := map[string]any{"tid": tenantID, "oid": objectID}
	for i := range 60 {
		claims[fmt.Sprint("claim", i)] = fmt.Sprint("value ", i*i*i)
	}
	header := "Bearer " + jwt(claims)
	body := []byte(linkBody(partner1, 7, "Active"))
	b.ReportAllocs()
	for b.Loop() {
		if _, found, err := echoOf(header).withoutEchoes(body); found || err != nil {
			b.Fatal(found, err)
		}
	}
}
